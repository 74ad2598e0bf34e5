-- Some orders of the read model, whole, as JSON; the time of projection apart, since no fold can tell it.
SELECT order_id, to_jsonb(order_projections) - 'projected_at', projected_at
FROM order_projections
WHERE order_id = ANY(%(keys)s)
