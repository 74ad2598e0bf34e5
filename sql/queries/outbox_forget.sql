-- Forgets rows whose messages Kafka has acknowledged, those of shards only that this relay still owns in the same epoch.
DELETE FROM outbox
USING relay_shards AS lease, unnest(%(shards)s::smallint[], %(epochs)s::bigint[]) AS mine (shard, epoch)
WHERE outbox.id = ANY(%(ids)s::bigint[])
  AND lease.shard = outbox.shard AND lease.owner = %(relay)s
  AND mine.shard = lease.shard AND mine.epoch = lease.epoch
