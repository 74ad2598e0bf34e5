-- Which version of a projection has made its table, how often that was changed for another, and which of some aggregates were left
-- behind. Asked in a transaction that has read the table already: it cannot be changed for another one any more until the end. And
-- aggregates stay left behind until then, so that what is skipped now is in the log before anybody brings them up to date.
SELECT version, generation,
       ARRAY(SELECT aggregate_id FROM dead_events
             WHERE dead_events.projection = %(projection)s AND aggregate_id = ANY(%(keys)s::uuid[]) FOR SHARE)
FROM projections
WHERE projection = %(projection)s
