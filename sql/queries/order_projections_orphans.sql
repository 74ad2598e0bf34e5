-- Orders in the read model of which the log knows nothing.
SELECT order_id
FROM order_projections
WHERE NOT EXISTS (SELECT FROM event_store WHERE aggregate_id = order_id AND version = 1)
LIMIT %(limit)s
