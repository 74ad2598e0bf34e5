-- The number of hash partitions that event_store was created with.
SELECT count(*) FROM pg_inherits WHERE inhparent = 'event_store'::regclass
