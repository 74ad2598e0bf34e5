-- Rows of some shards that one moment did not see yet and the present one sees, the oldest first, and the present moment beside
-- them. Of one aggregate, a later version always has a later id. Those of held aggregates are left out, unless they are due. The rows
-- are found by their transactions: `id + 0`, since the index that has the ids in order still has those of every row that was deleted.
SELECT pg_current_snapshot()::text, page.*
FROM (SELECT) AS present
LEFT JOIN (
    SELECT id, shard, event_id::text, aggregate_id::text, aggregate_type, event_type, schema_version, event_data::text,
           metadata::text, version, position, ce_time
    FROM outbox
    WHERE (tx_id >= %(seen_xmax)s::xid8 OR tx_id = ANY(%(seen_in_progress)s::xid8[]))
      AND shard = ANY(%(shards)s::smallint[])
      AND NOT EXISTS (SELECT FROM outbox_held AS held
                      WHERE held.aggregate_id = outbox.aggregate_id AND held.aggregate_id <> ALL(%(due)s::uuid[]))
    ORDER BY id + 0
    LIMIT %(limit)s
) AS page ON true
ORDER BY page.id
