-- Forgets rows whose messages Kafka has acknowledged, those of shards only that this relay still owns in the same epoch. Which shards
-- these are is asked once, beforehand: in a join, the planner may walk over all the rows for each shard.
DELETE FROM outbox
WHERE id = ANY(%(ids)s::bigint[])
  AND shard = ANY(ARRAY(
      SELECT lease.shard
      FROM relay_shards AS lease
      JOIN unnest(%(shards)s::smallint[], %(epochs)s::bigint[]) AS mine (shard, epoch) USING (shard, epoch)
      WHERE lease.owner = %(relay)s))
