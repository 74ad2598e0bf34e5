-- Fills a table without keys by a fold in SQL; how many rows were made, of how many events. When there is an event that the code at
-- hand does not know, or a stream with a hole, nothing is made, and that is said: such a stream is for a fold that can stop at it.
WITH trouble AS (
    SELECT EXISTS (SELECT FROM {partition}
                   WHERE aggregate_type = {aggregate_type} AND (event_type || ' ' || schema_version) <> ALL (%(known)s::text[]))
           OR EXISTS (SELECT FROM {partition}
                      WHERE aggregate_type = {aggregate_type} GROUP BY aggregate_id HAVING count(*) <> max(version)) AS found
), folded AS (
    INSERT INTO {table} ({columns}, projected_at)
    SELECT {columns}, clock_timestamp() FROM ({fold}) AS folded WHERE NOT (SELECT found FROM trouble)
    RETURNING last_event_version
)
SELECT count(*), coalesce(sum(last_event_version), 0)::bigint, (SELECT found FROM trouble) FROM folded
