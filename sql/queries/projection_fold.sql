-- Fills a table without keys by a fold in SQL: how many rows were made, of how many events by their versions, how many events there
-- are, and how many of a shape that the code at hand does not know.
WITH known AS (
    SELECT * FROM unnest(%(types)s::text[], %(schema_versions)s::integer[]) AS known (event_type, schema_version)
), folded AS (
    INSERT INTO {table} ({columns}, projected_at)
    SELECT {columns}, clock_timestamp() FROM ({fold}) AS folded
    RETURNING last_event_version
)
SELECT count(*), coalesce(sum(last_event_version), 0)::bigint,
       (SELECT ARRAY[count(*), count(*) FILTER (WHERE (event_type, schema_version) NOT IN (SELECT event_type, schema_version FROM known))]
        FROM {partition}
        WHERE aggregate_type = {aggregate_type})
FROM folded
