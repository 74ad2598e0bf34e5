-- Says what has become of a push; without an error it keeps the last one, unless it was sent.
UPDATE notifications
SET state = %(state)s::text, settled_at = clock_timestamp(),
    error = CASE WHEN %(state)s::text <> 'sent' THEN coalesce(%(error)s::text, error) END
WHERE told_by = %(told_by)s::text AND aggregate_id = %(aggregate_id)s AND version = %(version)s AND recipient = %(recipient)s
    AND state = 'sending'
