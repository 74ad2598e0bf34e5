-- Leaves aggregates behind at events that a projection cannot take.
INSERT INTO dead_events (projection, aggregate_id, version, place, error)
SELECT %(projection)s, parked.*
FROM json_to_recordset(%(parked)s::json) AS parked (aggregate_id uuid, version integer, place text, error text)
ON CONFLICT (projection, aggregate_id) DO UPDATE
SET version = excluded.version, place = excluded.place, error = excluded.error, attempts = dead_events.attempts + 1
