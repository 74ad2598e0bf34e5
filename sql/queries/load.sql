-- Reads what a fold of one aggregate needs, and nothing else: its events' types and data, in order.
SELECT event_type, schema_version, event_data::text, version
FROM event_store
WHERE aggregate_id = %(aggregate_id)s AND aggregate_type = %(aggregate_type)s
ORDER BY version
