-- Rows of the read model of whose aggregates the log knows nothing.
SELECT {key}
FROM {table}
WHERE NOT EXISTS (SELECT FROM event_store WHERE event_store.aggregate_id = {table}.{key} AND event_store.version = 1)
LIMIT %(limit)s
