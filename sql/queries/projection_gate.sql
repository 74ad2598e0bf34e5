-- What decides about events for a read model: which version has made its table, how often that was changed for another, which of some
-- aggregates were left behind, and the versions and states of those that have a row. One statement: it locks the table before it looks
-- at anything, so from then to the end of the transaction the table cannot be changed for another one. And aggregates stay left behind
-- until then, so that what is skipped now is in the log before anybody brings them up to date.
SELECT known.version, known.generation, known.behind, present.{key}, present.last_event_version, present.snapshot::text
FROM (
    SELECT version, generation,
           ARRAY(SELECT aggregate_id FROM dead_events
                 WHERE %(skip_parked)s AND dead_events.projection = %(projection)s AND aggregate_id = ANY(%(keys)s::uuid[])
                 FOR SHARE) AS behind
    FROM projections
    WHERE projection = %(projection)s
) AS known
LEFT JOIN {table} AS present ON present.{key} = ANY(%(keys)s::uuid[])
