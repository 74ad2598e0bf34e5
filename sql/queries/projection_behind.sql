-- The aggregates of which a table knows less than another one, with the version that it knows; and those that the other one has left
-- behind, of which it cannot tell.
SELECT {other}.{other_key}, coalesce({table}.last_event_version, 0)
FROM {other} LEFT JOIN {table} ON {table}.{key} = {other}.{other_key}
WHERE {table}.last_event_version IS NULL OR {table}.last_event_version < {other}.last_event_version
UNION ALL
SELECT aggregate_id, 0 FROM dead_events WHERE projection = %(other)s
