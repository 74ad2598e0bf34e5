-- Takes shards that nobody owns or whose lease has run out, each in a new epoch, as long as it is the relays that publish.
UPDATE relay_shards
SET owner = %(relay)s, epoch = epoch + 1, expires_at = clock_timestamp() + make_interval(secs => %(ttl)s)
WHERE shard IN (SELECT shard FROM relay_shards
                WHERE expires_at <= clock_timestamp()
                ORDER BY shard
                LIMIT %(limit)s
                FOR UPDATE SKIP LOCKED)
  AND (SELECT publisher FROM outbox_publisher) = 'relay'
RETURNING shard, epoch
