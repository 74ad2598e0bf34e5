-- Two tables of one projection, row by row: only in the first, only in the second, of a later version there, of an earlier version
-- there, equal, different at the same version, and which of the last. The time of projection is no difference.
SELECT count(*) FILTER (WHERE after.last_event_version IS NULL),
       count(*) FILTER (WHERE before.last_event_version IS NULL),
       count(*) FILTER (WHERE before.last_event_version < after.last_event_version),
       count(*) FILTER (WHERE before.last_event_version > after.last_event_version),
       count(*) FILTER (WHERE before.last_event_version = after.last_event_version AND equal),
       count(*) FILTER (WHERE before.last_event_version = after.last_event_version AND NOT equal),
       coalesce((array_agg(before.{key} ORDER BY before.{key})
                 FILTER (WHERE before.last_event_version = after.last_event_version AND NOT equal))[1:%(shown)s::integer], '{{}}')
FROM {table} AS before FULL JOIN {other} AS after ON before.{key} = after.{other_key}, LATERAL (SELECT {equal} AS equal) AS compared
