-- The versions and states of some orders in the read model.
SELECT order_id, last_event_version, snapshot::text FROM order_projections WHERE order_id = ANY(%(keys)s)
