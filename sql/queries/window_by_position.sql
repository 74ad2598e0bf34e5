-- The same page found by position: quick however many events there are, as long as most of them lie after the position.
SELECT event_id, aggregate_id, aggregate_type, event_type, schema_version, event_data::text, metadata::text, version, position,
       created_at
FROM event_store
WHERE position > %(after)s AND position <= %(until)s
  AND (%(seen)s::pg_snapshot IS NULL OR NOT pg_visible_in_snapshot(tx_id, %(seen)s::pg_snapshot))
  AND (%(window)s::pg_snapshot IS NULL OR pg_visible_in_snapshot(tx_id, %(window)s::pg_snapshot))
  AND (%(aggregate_types)s::text[] IS NULL OR aggregate_type = ANY(%(aggregate_types)s::text[]))
  AND (%(event_types)s::text[] IS NULL OR event_type = ANY(%(event_types)s::text[]))
ORDER BY position
LIMIT %(limit)s
