-- For the newest event of each aggregate that was written since an instant: how many milliseconds passed from the start of its
-- transaction to its being written to the read model. Both are the database's clock; the median and the 99th percentile.
SELECT count(*),
       percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY extract(epoch FROM {table}.projected_at - event_store.created_at) * 1000)
FROM {table}
JOIN event_store ON event_store.aggregate_id = {table}.{key} AND event_store.version = {table}.last_event_version
WHERE event_store.created_at >= %(since)s
