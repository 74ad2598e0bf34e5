-- The oldest unpublished events. Rows, not a cursor, say what is unpublished, so a late commit is never skipped; of one
-- aggregate, a later version always has a later id.
SELECT id, event_id::text, aggregate_id::text, aggregate_type, event_type, schema_version, event_data::text, metadata::text,
       version, position, ce_time
FROM outbox
ORDER BY id
LIMIT %(limit)s
