-- Reads one aggregate's events after a version, up to and including another, in order; if asked, only those written under
-- some names, or recorded in a span of time.
SELECT event_id, aggregate_id, aggregate_type, event_type, schema_version, event_data::text, metadata::text, version, position,
       created_at
FROM event_store
WHERE aggregate_id = %(aggregate_id)s AND aggregate_type = %(aggregate_type)s
  AND version > %(after)s AND version <= %(until)s
  AND (%(event_types)s::text[] IS NULL OR event_type = ANY(%(event_types)s::text[]))
  AND (%(recorded_from)s::timestamptz IS NULL OR created_at >= %(recorded_from)s::timestamptz)
  AND (%(recorded_before)s::timestamptz IS NULL OR created_at < %(recorded_before)s::timestamptz)
ORDER BY version
LIMIT %(limit)s
