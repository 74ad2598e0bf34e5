-- The ids of the aggregates of a type, after a given one, in order of id: each has exactly one version 1.
SELECT aggregate_id
FROM event_store
WHERE version = 1 AND aggregate_type = %(aggregate_type)s AND (aggregate_id, version) > (%(after)s, %(after_version)s)
ORDER BY aggregate_id
LIMIT %(limit)s
