-- For the newest event of each order that was written since an instant: how many milliseconds passed from the start of its
-- transaction to its being written to the read model. Both are the database's clock; the median and the 99th percentile.
SELECT count(*),
       percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY extract(epoch FROM projected_at - created_at) * 1000)
FROM order_projections
JOIN event_store ON aggregate_id = order_id AND version = last_event_version
WHERE created_at >= %(since)s
