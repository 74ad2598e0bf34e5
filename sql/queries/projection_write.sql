-- Writes rows of a read model, given as one JSON document; a row that is newer already stays as it is.
INSERT INTO {table} ({columns}, projected_at)
SELECT {columns}, clock_timestamp()
FROM json_populate_recordset(NULL::{table}, %(rows)s::json)
ON CONFLICT ({key}) DO UPDATE
SET ({columns}, projected_at) = ROW ({excluded}, excluded.projected_at)
WHERE {table}.last_event_version < excluded.last_event_version
