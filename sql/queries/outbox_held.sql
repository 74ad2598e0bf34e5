-- The aggregates that are held back, the longest held first, each with the number of its rows that wait.
SELECT held.aggregate_id, held.reason, held.attempts, held.retry_at, held.held_since,
       (SELECT count(*) FROM outbox WHERE outbox.aggregate_id = held.aggregate_id)
FROM outbox_held AS held
ORDER BY held.held_since
