-- Holds an aggregate back until somebody says otherwise; one that is held already stays so, for good.
INSERT INTO outbox_held (aggregate_id, reason, attempts, retry_at)
VALUES (%(aggregate_id)s, %(reason)s, 0, NULL)
ON CONFLICT (aggregate_id) DO UPDATE SET reason = excluded.reason, retry_at = NULL
