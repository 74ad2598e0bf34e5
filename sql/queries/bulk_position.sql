-- The highest position that this very transaction has written so far.
SELECT COALESCE(max(position), 0) FROM event_store WHERE tx_id = pg_current_xact_id()
