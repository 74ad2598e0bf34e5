-- The fold of order_tracking in SQL, over a part of the log: of what an event sets, the last by version counts. A payment moves an
-- order on only when nothing but its submission came before. OrderCheckedOut is a retired event that closed the cart. A row of which a
-- field does not read as a text has no version: the table refuses it, and the partition is folded in Python.
SELECT order_id, step, placed_at, submitted_at, paid_at, shipped_at, delivered_at, ended_at, carrier, tracking_number,
       last_event_version,
       json_build_object(
           'step', step, 'placed_at', rfc3339(placed_at), 'submitted_at', rfc3339(submitted_at), 'paid_at', rfc3339(paid_at),
           'shipped_at', rfc3339(shipped_at), 'delivered_at', rfc3339(delivered_at), 'ended_at', rfc3339(ended_at),
           'carrier', carrier, 'tracking_number', tracking_number) AS snapshot
FROM (
    SELECT aggregate_id AS order_id,
           CASE WHEN steps[cardinality(steps)] = 'submitted' AND paid_version > step_version THEN 'paid'
                ELSE coalesce(steps[cardinality(steps)], 'cart') END AS step,
           placed[cardinality(placed)] AS placed_at,
           submitted[cardinality(submitted)] AS submitted_at,
           paid[cardinality(paid)] AS paid_at,
           shipped[cardinality(shipped)] AS shipped_at,
           delivered[cardinality(delivered)] AS delivered_at,
           ended[cardinality(ended)] AS ended_at,
           shipments[cardinality(shipments)] ->> 'carrier' AS carrier,
           shipments[cardinality(shipments)] ->> 'tracking_number' AS tracking_number,
           CASE WHEN shipments IS NULL OR (jsonb_typeof(shipments[cardinality(shipments)] -> 'carrier') = 'string'
                                           AND jsonb_typeof(shipments[cardinality(shipments)] -> 'tracking_number') = 'string')
                THEN last_event_version END AS last_event_version
    FROM (
        -- Every order has a row, also one of which nothing is wanted.
        SELECT aggregate_id, max(version) AS last_event_version
        FROM {partition}
        WHERE aggregate_type = 'order'
        GROUP BY aggregate_id) AS lengths
    LEFT JOIN (
        SELECT aggregate_id,
               max(version) FILTER (WHERE step IS NOT NULL) AS step_version,
               max(version) FILTER (WHERE event_type = 'PaymentCaptured') AS paid_version,
               array_agg(step ORDER BY version) FILTER (WHERE step IS NOT NULL) AS steps,
               array_agg(at ORDER BY version) FILTER (WHERE event_type = 'OrderPlaced') AS placed,
               array_agg(at ORDER BY version) FILTER (WHERE step = 'submitted') AS submitted,
               array_agg(at ORDER BY version) FILTER (WHERE event_type = 'PaymentCaptured') AS paid,
               array_agg(at ORDER BY version) FILTER (WHERE step = 'shipped') AS shipped,
               array_agg(at ORDER BY version) FILTER (WHERE step = 'delivered') AS delivered,
               array_agg(at ORDER BY version) FILTER (WHERE step IN ('delivered', 'cancelled')) AS ended,
               array_agg(event_data ORDER BY version) FILTER (WHERE step = 'shipped') AS shipments
        FROM (
            SELECT aggregate_id, version, event_type, event_data,
                   CASE event_type
                       WHEN 'OrderSubmitted' THEN 'submitted'
                       WHEN 'OrderCheckedOut' THEN 'submitted'
                       WHEN 'OrderFulfilmentStarted' THEN 'packing'
                       WHEN 'OrderShipped' THEN 'shipped'
                       WHEN 'OrderDelivered' THEN 'delivered'
                       WHEN 'OrderCancelled' THEN 'cancelled'
                       WHEN 'OrderMarkedUnavailable' THEN 'cancelled'
                   END AS step,
                   coalesce((metadata ->> 'occurred_at')::timestamptz, created_at) AS at
            FROM {partition}
            WHERE aggregate_type = 'order'
              AND event_type IN ('OrderPlaced', 'PaymentCaptured', 'OrderSubmitted', 'OrderCheckedOut', 'OrderFulfilmentStarted',
                                 'OrderShipped', 'OrderDelivered', 'OrderCancelled', 'OrderMarkedUnavailable')
            OFFSET 0) AS event -- not taken apart, so that step and time are computed once an event
        GROUP BY aggregate_id) AS gathered USING (aggregate_id)) AS folded
