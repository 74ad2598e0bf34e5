-- Writes rows of a table that has no keys yet, given as one JSON document.
INSERT INTO {table} ({columns}, projected_at)
SELECT {columns}, clock_timestamp() FROM json_populate_recordset(NULL::{table}, %(rows)s::json)
