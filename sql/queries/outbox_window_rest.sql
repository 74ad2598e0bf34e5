-- The next rows, by their ids, that one moment did not see yet and a later moment sees: what is left of a window that is too large for
-- one page, or everything when the first moment is before all. Held aggregates are left out, as in outbox_window.
SELECT id, shard, event_id::text, aggregate_id::text, aggregate_type, event_type, schema_version,
       event_data::text, metadata::text, version, position, ce_time
FROM outbox
WHERE id > %(after)s
  AND NOT pg_visible_in_snapshot(tx_id, %(seen)s::pg_snapshot)
  AND pg_visible_in_snapshot(tx_id, %(until)s::pg_snapshot)
  AND shard = ANY(%(shards)s::smallint[])
  AND aggregate_id NOT IN (SELECT held.aggregate_id FROM outbox_held AS held WHERE held.aggregate_id <> ALL(%(due)s::uuid[]))
ORDER BY id
LIMIT %(limit)s
