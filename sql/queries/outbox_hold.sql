-- Holds back an aggregate after Kafka has refused one of its messages: for longer each time, and in the end until somebody
-- says otherwise.
INSERT INTO outbox_held (aggregate_id, reason, attempts, retry_at)
VALUES (%(aggregate_id)s, %(reason)s, 1, clock_timestamp() + make_interval(secs => 1))
ON CONFLICT (aggregate_id) DO UPDATE
SET reason = excluded.reason, attempts = outbox_held.attempts + 1,
    retry_at = CASE WHEN outbox_held.attempts + 1 < %(attempts)s
                    THEN clock_timestamp() + make_interval(secs => least(2 ^ outbox_held.attempts, 60)) END
RETURNING attempts, retry_at
