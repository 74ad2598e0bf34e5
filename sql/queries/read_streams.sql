-- Reads all events of some aggregates, one aggregate after the other, each in order.
SELECT event_id, aggregate_id, event_type, schema_version, event_data::text, metadata::text, version, position, created_at
FROM event_store
WHERE aggregate_id = ANY(%(aggregate_ids)s) AND aggregate_type = %(aggregate_type)s
ORDER BY aggregate_id, version
