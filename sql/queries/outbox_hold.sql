-- Holds back an aggregate after Kafka has refused one of its messages: for longer each time, and in the end until somebody
-- says otherwise. One that somebody has parked meanwhile stays so, for the reason given.
INSERT INTO outbox_held (aggregate_id, reason, attempts, retry_at)
VALUES (%(aggregate_id)s, %(reason)s, 1, clock_timestamp() + make_interval(secs => 1))
ON CONFLICT (aggregate_id) DO UPDATE
SET reason = CASE WHEN outbox_held.retry_at IS NULL THEN outbox_held.reason ELSE excluded.reason END,
    attempts = outbox_held.attempts + 1,
    retry_at = CASE WHEN outbox_held.retry_at IS NOT NULL AND outbox_held.attempts + 1 < %(attempts)s
                    THEN clock_timestamp() + make_interval(secs => least(2 ^ outbox_held.attempts, 60)) END
RETURNING attempts, retry_at
