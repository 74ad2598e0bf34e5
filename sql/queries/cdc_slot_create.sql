-- Makes the replication slot unless it is there: what is committed from now on is kept for its reader.
SELECT pg_create_logical_replication_slot(%(slot)s, 'pgoutput')
WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = %(slot)s)
