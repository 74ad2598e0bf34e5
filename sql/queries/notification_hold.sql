-- Has a push that was not taken wait for some seconds, and says why.
UPDATE notifications
SET due_at = clock_timestamp() + %(pause)s::interval, error = %(error)s::text
WHERE told_by = %(told_by)s::text AND aggregate_id = %(aggregate_id)s AND version = %(version)s AND recipient = %(recipient)s
    AND state = 'sending'
