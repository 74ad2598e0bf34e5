-- The aggregates that projections have left behind, the longest first; of one projection, or of all but those tables that a
-- rebuild has replaced.
SELECT projection, aggregate_id, version, place, error, attempts, parked_at
FROM dead_events
WHERE CASE WHEN %(projection)s::text IS NULL THEN right(projection, 4) <> '_old' ELSE projection = %(projection)s END
ORDER BY parked_at, aggregate_id
