-- A relay that ends lets go of its shards and is alive no more.
WITH released AS (
    UPDATE relay_shards SET owner = NULL, expires_at = '-infinity' WHERE owner = %(relay)s
)
UPDATE relays SET alive_until = clock_timestamp() WHERE relay = %(relay)s
