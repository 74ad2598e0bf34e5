-- Notes what people are to be told, or why they are not; what was noted before stays as it is.
INSERT INTO notifications (told_by, aggregate_id, version, recipient, event_type, title, state, error, recorded_at, settled_at)
SELECT %(told_by)s::text, noted.*, CASE WHEN noted.state <> 'sending' THEN clock_timestamp() END
FROM json_to_recordset(%(noted)s::json) AS noted (
    aggregate_id uuid, version integer, recipient text, event_type text, title text, state text, error text, recorded_at timestamptz)
WHERE (
    SELECT count(*) FILTER (WHERE noted.recipient = '' OR before.recipient = '' AND before.state = 'expired')
    FROM notifications AS before
    WHERE before.told_by = %(told_by)s::text AND before.aggregate_id = noted.aggregate_id AND before.version = noted.version) = 0
ON CONFLICT DO NOTHING
