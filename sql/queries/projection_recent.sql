-- Of the newest events of the log that have had some time to become visible: how many there are, how many of them the projection's
-- rows do not know, and for how many seconds the oldest of those has waited. An aggregate that was left behind counts apart.
WITH recent AS (
    SELECT aggregate_id, version, created_at
    FROM event_store
    WHERE aggregate_type = %(aggregate_type)s AND created_at < clock_timestamp() - %(within)s::interval
    ORDER BY position DESC
    LIMIT %(limit)s
), unseen AS (
    SELECT recent.created_at, coalesce({table}.last_event_version, 0) < recent.version
               AND NOT EXISTS (SELECT FROM dead_events
                               WHERE projection = %(projection)s AND dead_events.aggregate_id = recent.aggregate_id) AS unseen
    FROM recent LEFT JOIN {table} ON {table}.{key} = recent.aggregate_id
)
SELECT count(*), count(*) FILTER (WHERE unseen),
       coalesce(extract(epoch FROM clock_timestamp() - min(created_at) FILTER (WHERE unseen)), 0)::double precision
FROM unseen
