-- Drops the replication slot, if there is one: the server need keep nothing for it any more.
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %(slot)s
