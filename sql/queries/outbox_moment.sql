-- The present moment, which tells an idle relay whether there can be anything new.
SELECT pg_current_snapshot()::text
