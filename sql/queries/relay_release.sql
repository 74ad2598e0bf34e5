-- Lets go of some shards of a relay, for others to take.
UPDATE relay_shards
SET owner = NULL, expires_at = '-infinity'
WHERE owner = %(relay)s AND shard = ANY(%(shards)s::smallint[])
