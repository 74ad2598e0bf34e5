-- Every shard: who owns it and in which epoch, how many rows of it wait, and for how long, in seconds, the oldest that nothing holds
-- back.
SELECT lease.shard, CASE WHEN lease.expires_at > clock_timestamp() THEN lease.owner END, lease.epoch, count(waiting.id),
       coalesce(extract(epoch FROM clock_timestamp() - min(waiting.created_at) FILTER (WHERE held.aggregate_id IS NULL)), 0)::double precision
FROM relay_shards AS lease
LEFT JOIN outbox AS waiting USING (shard)
LEFT JOIN outbox_held AS held ON held.aggregate_id = waiting.aggregate_id
GROUP BY lease.shard
ORDER BY lease.shard
