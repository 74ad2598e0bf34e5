-- The present end of the write-ahead log; and of the slot that change data capture publishes from its name, up to where its reader has
-- confirmed it, and whether somebody reads from it: neither of one that is missing or lost.
SELECT pg_current_wal_insert_lsn()::text, slot, confirmed_flush_lsn::text, coalesce(active, false)
FROM outbox_publisher
LEFT JOIN pg_replication_slots ON slot_name = slot AND database = current_database() AND wal_status <> 'lost'
