-- Whether somebody reads from the slot, how many bytes of the write-ahead log the reader has not confirmed, and whether the server
-- still has them.
SELECT active, coalesce(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), confirmed_flush_lsn), 0)::bigint, wal_status
FROM pg_replication_slots
WHERE slot_name = %(slot)s AND database = current_database()
