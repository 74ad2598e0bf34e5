-- The oldest rows of the outbox, whoever is to publish them.
SELECT id, shard, event_id::text, aggregate_id::text, aggregate_type, event_type, schema_version, event_data::text, metadata::text,
       version, position, ce_time
FROM outbox
ORDER BY id
LIMIT %(limit)s
