-- Says that a relay is alive and what it has done, and tells it how many are alive, who is to publish at all, and whether
-- aggregates are held.
WITH alive AS (
    INSERT INTO relays (relay, place, alive_until, published, last_error, last_error_at)
    VALUES (%(relay)s, %(place)s, clock_timestamp() + make_interval(secs => %(ttl)s), %(published)s, %(error)s,
            CASE WHEN %(error)s::text IS NOT NULL THEN clock_timestamp() END)
    ON CONFLICT (relay) DO UPDATE
    SET alive_until = excluded.alive_until, published = excluded.published,
        last_error = coalesce(excluded.last_error, relays.last_error),
        last_error_at = coalesce(excluded.last_error_at, relays.last_error_at)
)
SELECT 1 + (SELECT count(*) FROM relays WHERE alive_until > clock_timestamp() AND relay <> %(relay)s),
       publisher, EXISTS (SELECT FROM outbox_held)
FROM outbox_publisher
