-- The present moment: rows can be told apart by it later, and while it stays the same there is nothing new.
SELECT pg_current_snapshot()::text
