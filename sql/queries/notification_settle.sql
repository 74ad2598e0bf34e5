-- Says what has become of a push; one that is still being tried keeps the last error.
UPDATE notifications
SET state = %(state)s::text, error = %(error)s::text, settled_at = CASE WHEN %(state)s::text <> 'sending' THEN clock_timestamp() END
WHERE aggregate_id = %(aggregate_id)s AND version = %(version)s AND recipient = %(recipient)s AND state = 'sending'
