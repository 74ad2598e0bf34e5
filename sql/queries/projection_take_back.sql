-- Takes rows that were set aside back into their table, which has its keys by now; of those that exclude each other, the one whose
-- aggregate was there first.
INSERT INTO {table}
SELECT * FROM set_aside
ORDER BY (SELECT event_store.position FROM event_store WHERE event_store.aggregate_id = set_aside.{key} AND event_store.version = 1)
ON CONFLICT DO NOTHING
