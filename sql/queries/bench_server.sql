-- Names the server's version, the settings that decide how fast it can be, and the partitions of the log.
SELECT name, current_setting(name)
FROM unnest(ARRAY['server_version', 'fsync', 'synchronous_commit', 'full_page_writes', 'wal_level', 'shared_buffers',
                  'max_wal_size', 'effective_io_concurrency']) AS name
UNION ALL
SELECT 'event_store partitions', count(*)::text FROM pg_inherits WHERE inhparent = 'event_store'::regclass
