-- Reads what a fold of one aggregate needs, and nothing else: the types and data of its events after a version, in order.
SELECT event_type, schema_version, event_data::text, version
FROM event_store
WHERE aggregate_id = %(aggregate_id)s AND aggregate_type = %(aggregate_type)s AND version > %(after)s
ORDER BY version
