-- Reads what a fold of one aggregate needs, and nothing else, of its events after a version, in order.
SELECT event_type, schema_version, event_data::text,
       CASE WHEN event_type = ANY(%(upcast_types)s) THEN metadata::text END, version
FROM event_store
WHERE aggregate_id = %(aggregate_id)s AND aggregate_type = %(aggregate_type)s AND version > %(after)s
ORDER BY version
LIMIT %(limit)s
