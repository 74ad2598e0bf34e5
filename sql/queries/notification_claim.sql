-- Notes a push that is about to be sent, or sent again; no row when it was settled before.
INSERT INTO notifications (aggregate_id, version, recipient, event_type, title)
VALUES (%(aggregate_id)s, %(version)s, %(recipient)s, %(event_type)s, %(title)s)
ON CONFLICT (aggregate_id, version, recipient) DO UPDATE SET attempts = notifications.attempts + 1
WHERE notifications.state = 'sending'
RETURNING attempts
