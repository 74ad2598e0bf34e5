-- Has a projection rest, or go on; no row if there is no such projection.
UPDATE projections
SET paused_since = CASE WHEN %(paused)s THEN coalesce(paused_since, clock_timestamp()) END
WHERE projection = %(projection)s
RETURNING paused_since
