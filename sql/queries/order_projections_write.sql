-- Writes rows of the read model; a row that is newer already stays as it is.
INSERT INTO order_projections
    (order_id, user_id, status, total_cents, item_count, last_event_version, projected_at, snapshot)
SELECT order_id, user_id, status, total_cents, item_count, last_event_version, clock_timestamp(), snapshot
FROM json_to_recordset(%(rows)s::json) AS incoming
    (order_id uuid, user_id uuid, status text, total_cents bigint, item_count integer, last_event_version integer,
     snapshot jsonb)
ON CONFLICT (order_id) DO UPDATE
SET user_id = excluded.user_id, status = excluded.status, total_cents = excluded.total_cents,
    item_count = excluded.item_count, last_event_version = excluded.last_event_version,
    projected_at = excluded.projected_at, snapshot = excluded.snapshot
WHERE order_projections.last_event_version < excluded.last_event_version
