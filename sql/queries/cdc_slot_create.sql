-- Makes a replication slot: what is committed from now on is kept for its reader.
SELECT pg_create_logical_replication_slot(%(slot)s, 'pgoutput')
