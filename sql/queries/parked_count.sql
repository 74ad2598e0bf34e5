-- How many aggregates a projection has left behind.
SELECT count(*) FROM dead_events WHERE projection = %(projection)s
