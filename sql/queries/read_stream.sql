-- Reads one aggregate's events after a version, up to and including another, in order.
SELECT event_id, aggregate_id, event_type, schema_version, event_data::text, metadata::text, version, position, created_at
FROM event_store
WHERE aggregate_id = %(aggregate_id)s AND aggregate_type = %(aggregate_type)s
  AND version > %(after)s AND version <= %(until)s
ORDER BY version
