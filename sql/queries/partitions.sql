-- The hash partitions of the log, by name.
SELECT partition.relname
FROM pg_inherits JOIN pg_class AS partition ON partition.oid = inhrelid
WHERE inhparent = 'event_store'::regclass
ORDER BY partition.relname
