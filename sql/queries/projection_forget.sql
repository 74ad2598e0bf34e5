-- Forgets what is kept of a projection beside its table.
WITH left_behind AS (
    DELETE FROM dead_events WHERE projection = %(projection)s
), missed AS (
    DELETE FROM missed_messages WHERE projection = %(projection)s
), predecessor AS (
    DELETE FROM projection_predecessors WHERE projection = %(projection)s
)
DELETE FROM projections WHERE projection = %(projection)s
