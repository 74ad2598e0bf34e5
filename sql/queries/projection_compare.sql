-- Two tables of one projection, row by row: only in the first, only in the second, of another version there, equal, different at the
-- same version, and which of the last. What differs in the time of projection alone is equal.
SELECT count(*) FILTER (WHERE after.{key} IS NULL),
       count(*) FILTER (WHERE before.{key} IS NULL),
       count(*) FILTER (WHERE before.last_event_version <> after.last_event_version),
       count(*) FILTER (WHERE same AND equal),
       count(*) FILTER (WHERE same AND NOT equal),
       coalesce((array_agg({key} ORDER BY {key}) FILTER (WHERE same AND NOT equal))[1:%(shown)s::integer], '{{}}')
FROM {table} AS before FULL JOIN {other} AS after USING ({key}),
     LATERAL (SELECT before.last_event_version = after.last_event_version AS same,
                     to_jsonb(before) - 'projected_at' = to_jsonb(after) - 'projected_at' AS equal) AS compared
