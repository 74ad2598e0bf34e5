-- Rows of the read model of whose aggregates the log knows nothing.
SELECT {key}
FROM {table}
WHERE NOT EXISTS (SELECT FROM event_store WHERE aggregate_id = {key} AND version = 1)
LIMIT %(limit)s
