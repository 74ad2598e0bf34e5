-- A page of the snapshots of a type, in order of aggregate and version.
SELECT aggregate_id, version, event_id, position, state_schema, state::text, sha256
FROM aggregate_snapshots
WHERE aggregate_type = %(aggregate_type)s AND (aggregate_id, version) > (%(after_id)s, %(after_version)s)
ORDER BY aggregate_id, version
LIMIT %(limit)s
