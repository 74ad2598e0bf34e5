-- About how many events there are in each partition of the log: what the last ANALYZE or VACUUM has seen, -1 if none has.
SELECT partition.relname, partition.reltuples::bigint
FROM pg_inherits JOIN pg_class AS partition ON partition.oid = inhrelid
WHERE inhparent = 'event_store'::regclass
