-- Notes events of which nobody is told any more, unless somebody was; a push that was being tried is given up.
WITH late AS (
    SELECT * FROM json_to_recordset(%(late)s::json) AS late (aggregate_id uuid, version integer, event_type text)
), given_up AS (
    UPDATE notifications SET state = 'expired', settled_at = clock_timestamp()
    FROM late
    WHERE notifications.aggregate_id = late.aggregate_id AND notifications.version = late.version AND state = 'sending'
)
INSERT INTO notifications (aggregate_id, version, recipient, event_type, title, state, attempts, settled_at)
SELECT late.aggregate_id, late.version, '', late.event_type, '', 'expired', 0, clock_timestamp()
FROM late
WHERE NOT EXISTS (
    SELECT FROM notifications
    WHERE notifications.aggregate_id = late.aggregate_id AND notifications.version = late.version)
ON CONFLICT DO NOTHING
