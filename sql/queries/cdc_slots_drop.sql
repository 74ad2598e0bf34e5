-- Drops the log's replication slots from which nobody reads: the server need keep nothing for them any more.
SELECT pg_drop_replication_slot(slot_name)
FROM pg_replication_slots
WHERE starts_with(slot_name::text, %(slots)s) AND database = current_database() AND NOT active
