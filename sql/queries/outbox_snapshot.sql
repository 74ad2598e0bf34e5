-- The present moment, by which rows can be told apart later.
SELECT pg_current_snapshot()::text
