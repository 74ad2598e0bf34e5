-- A page of the events that one moment did not see yet and a later moment sees, in order of position, found by their
-- transactions: quick when there are few of them.
SELECT event_id, aggregate_id, aggregate_type, event_type, schema_version, event_data::text, metadata::text, version, position,
       created_at
FROM event_store
WHERE (tx_id >= %(seen_xmax)s::xid8 OR tx_id = ANY(%(seen_in_progress)s::xid8[]))
  AND (%(window)s::pg_snapshot IS NULL OR pg_visible_in_snapshot(tx_id, %(window)s::pg_snapshot))
  AND position > %(after)s AND position <= %(until)s
  AND (%(aggregate_types)s::text[] IS NULL OR aggregate_type = ANY(%(aggregate_types)s::text[]))
  AND (%(event_types)s::text[] IS NULL OR event_type = ANY(%(event_types)s::text[]))
ORDER BY position
LIMIT %(limit)s
