-- The aggregates that projections have left behind, the longest first; of one projection, or of all.
SELECT projection, aggregate_id, version, place, error, attempts, parked_at
FROM dead_events
WHERE %(projection)s::text IS NULL OR projection = %(projection)s
ORDER BY parked_at, aggregate_id
