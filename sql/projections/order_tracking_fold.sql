-- The fold of order_tracking in SQL, over a part of the log. "Last" is by version, as everywhere; a payment moves an order on
-- only when nothing but its submission came before. OrderCheckedOut is a retired event that closed the cart.
SELECT order_id,
       CASE WHEN step = 'submitted' AND paid_version > step_version THEN 'paid' ELSE step END AS step,
       placed_at, submitted_at, paid_at, shipped_at, delivered_at, ended_at, carrier, tracking_number, last_event_version,
       json_build_object(
           'step', CASE WHEN step = 'submitted' AND paid_version > step_version THEN 'paid' ELSE step END,
           'placed_at', rfc3339(placed_at), 'submitted_at', rfc3339(submitted_at), 'paid_at', rfc3339(paid_at),
           'shipped_at', rfc3339(shipped_at), 'delivered_at', rfc3339(delivered_at), 'ended_at', rfc3339(ended_at),
           'carrier', carrier, 'tracking_number', tracking_number) AS snapshot
FROM (
    SELECT aggregate_id AS order_id,
           max(version) AS last_event_version,
           coalesce((array_agg(step ORDER BY version DESC) FILTER (WHERE step IS NOT NULL))[1], 'cart') AS step,
           max(version) FILTER (WHERE step IS NOT NULL) AS step_version,
           max(version) FILTER (WHERE event_type = 'PaymentCaptured') AS paid_version,
           (array_agg(at ORDER BY version DESC) FILTER (WHERE event_type = 'OrderPlaced'))[1] AS placed_at,
           (array_agg(at ORDER BY version DESC) FILTER (WHERE step = 'submitted'))[1] AS submitted_at,
           (array_agg(at ORDER BY version DESC) FILTER (WHERE event_type = 'PaymentCaptured'))[1] AS paid_at,
           (array_agg(at ORDER BY version DESC) FILTER (WHERE step = 'shipped'))[1] AS shipped_at,
           (array_agg(at ORDER BY version DESC) FILTER (WHERE step = 'delivered'))[1] AS delivered_at,
           (array_agg(at ORDER BY version DESC) FILTER (WHERE step IN ('delivered', 'cancelled')))[1] AS ended_at,
           (array_agg(event_data ->> 'carrier' ORDER BY version DESC) FILTER (WHERE step = 'shipped'))[1] AS carrier,
           (array_agg(event_data ->> 'tracking_number' ORDER BY version DESC) FILTER (WHERE step = 'shipped'))[1] AS tracking_number
    FROM {partition},
         LATERAL (SELECT CASE event_type
                             WHEN 'OrderSubmitted' THEN 'submitted'
                             WHEN 'OrderCheckedOut' THEN 'submitted'
                             WHEN 'OrderFulfilmentStarted' THEN 'packing'
                             WHEN 'OrderShipped' THEN 'shipped'
                             WHEN 'OrderDelivered' THEN 'delivered'
                             WHEN 'OrderCancelled' THEN 'cancelled'
                             WHEN 'OrderMarkedUnavailable' THEN 'cancelled'
                         END AS step,
                         coalesce((metadata ->> 'occurred_at')::timestamptz, created_at) AS at) AS event
    WHERE aggregate_type = 'order'
    GROUP BY aggregate_id
) AS folded
