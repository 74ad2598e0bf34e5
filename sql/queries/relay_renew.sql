-- Prolongs the leases of a relay; those that have run out are lost.
UPDATE relay_shards
SET expires_at = clock_timestamp() + make_interval(secs => %(ttl)s)
WHERE owner = %(relay)s AND expires_at > clock_timestamp()
RETURNING shard, epoch
