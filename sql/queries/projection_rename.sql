-- Gives what is kept of a projection another name: its table's version, the aggregates that it has left behind, the messages that it has
-- missed.
WITH left_behind AS (
    UPDATE dead_events SET projection = %(becomes)s WHERE projection = %(projection)s
), missed AS (
    UPDATE missed_messages SET projection = %(becomes)s WHERE projection = %(projection)s
)
UPDATE projections SET projection = %(becomes)s, generation = %(generation)s, paused_since = %(paused_since)s::timestamptz
WHERE projection = %(projection)s
