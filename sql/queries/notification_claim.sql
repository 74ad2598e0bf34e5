-- Takes the push that has been due longest and has none of an earlier version before it, for so long that nobody else sends it.
UPDATE notifications
SET attempts = notifications.attempts + 1, due_at = clock_timestamp() + %(lease)s::interval
FROM (
    SELECT due.told_by, due.aggregate_id, due.version, due.recipient
    FROM notifications AS due
    WHERE due.told_by = %(told_by)s::text AND due.state = 'sending' AND due.due_at <= clock_timestamp() AND NOT EXISTS (
        SELECT FROM notifications AS earlier
        WHERE earlier.told_by = due.told_by AND earlier.aggregate_id = due.aggregate_id AND earlier.version < due.version
            AND earlier.recipient = due.recipient AND earlier.state = 'sending')
    ORDER BY due.due_at
    LIMIT 1
    FOR UPDATE OF due SKIP LOCKED
) AS first
WHERE notifications.told_by = first.told_by AND notifications.aggregate_id = first.aggregate_id AND notifications.version = first.version
    AND notifications.recipient = first.recipient
RETURNING notifications.aggregate_id, notifications.version, notifications.recipient, notifications.event_type,
    notifications.attempts,
    clock_timestamp() - coalesce(notifications.recorded_at, notifications.noted_at) > %(within)s::interval
