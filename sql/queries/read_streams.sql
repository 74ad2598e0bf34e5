-- Reads all events of some aggregates, one aggregate after the other, each in order, a page at a time.
SELECT event_id, aggregate_id, aggregate_type, event_type, schema_version, event_data::text, metadata::text, version, position,
       created_at
FROM event_store
WHERE aggregate_id = ANY(%(aggregate_ids)s) AND aggregate_type = %(aggregate_type)s
  AND (aggregate_id, version) > (%(after_id)s, %(after_version)s)
ORDER BY aggregate_id, version
LIMIT %(limit)s
