-- The present end of the write-ahead log, and up to where the reader of the slot has confirmed it; nothing without a slot.
SELECT pg_current_wal_insert_lsn()::text,
       (SELECT confirmed_flush_lsn::text
        FROM pg_replication_slots JOIN outbox_publisher ON slot_name = slot
        WHERE database = current_database())
