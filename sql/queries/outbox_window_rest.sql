-- The next rows of a window that is too large for one page: as in outbox_window, but up to the moment at which the first page
-- was read, and after the row that it ended with.
SELECT %(until)s::text, id, shard, event_id::text, aggregate_id::text, aggregate_type, event_type, schema_version,
       event_data::text, metadata::text, version, position, ce_time
FROM outbox
WHERE id > %(after)s
  AND (tx_id >= %(seen_xmax)s::xid8 OR tx_id = ANY(%(seen_in_progress)s::xid8[]))
  AND pg_visible_in_snapshot(tx_id, %(until)s::pg_snapshot)
  AND shard = ANY(%(shards)s::smallint[])
  AND NOT EXISTS (SELECT FROM outbox_held AS held
                  WHERE held.aggregate_id = outbox.aggregate_id AND (held.retry_at <= clock_timestamp()) IS NOT TRUE)
ORDER BY id
LIMIT %(limit)s
