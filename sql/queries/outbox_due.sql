-- The held aggregates of some shards that are due and have something to publish. Forgets that those are held which are due and
-- have nothing left.
WITH due AS (
    SELECT aggregate_id, EXISTS (SELECT FROM outbox WHERE outbox.aggregate_id = held.aggregate_id) AS unpublished
    FROM outbox_held AS held
    WHERE held.retry_at <= clock_timestamp() AND held.shard = ANY(%(shards)s::smallint[])
),
forgotten AS (
    DELETE FROM outbox_held USING due WHERE outbox_held.aggregate_id = due.aggregate_id AND NOT due.unpublished
)
SELECT aggregate_id FROM due WHERE unpublished
