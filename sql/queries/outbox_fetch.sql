-- The oldest unpublished events. Rows, not a cursor, say what is unpublished, so a late commit is never skipped; of one
-- aggregate, a later version always has a later id.
SELECT id, event_id::text, aggregate_id::text, aggregate_type, event_type, schema_version, event_data::text, metadata::text,
       version, position, to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
FROM outbox
ORDER BY id
LIMIT %(limit)s
