-- The slot that change data capture publishes from, or one that was left over while the relays publish: its name, whether it is
-- there, whether somebody reads from it, how many bytes the reader has not confirmed, whether the server still has them, and whether
-- it bounds what it keeps.
SELECT coalesce(slot_name::text, slot), slot_name IS NOT NULL, coalesce(active, false),
       coalesce(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), confirmed_flush_lsn), 0)::bigint, wal_status,
       current_setting('max_slot_wal_keep_size') <> '-1'
FROM outbox_publisher
LEFT JOIN pg_replication_slots
    ON database = current_database()
    AND (slot_name = slot OR (slot IS NULL AND starts_with(slot_name::text, %(slots)s)))
ORDER BY active DESC NULLS LAST
LIMIT 1
