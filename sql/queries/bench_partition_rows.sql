-- How many events each hash partition of the log holds, as its statistics say.
SELECT partition.relname, partition.reltuples::bigint
FROM pg_inherits JOIN pg_class AS partition ON partition.oid = inhrelid
WHERE inhparent = 'event_store'::regclass
ORDER BY partition.reltuples DESC
