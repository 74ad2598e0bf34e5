-- Which of some aggregates a projection has left behind. They stay left behind until the end of the transaction, so that what
-- is skipped now is in the log before anybody catches up.
SELECT aggregate_id FROM dead_events WHERE projection = %(projection)s AND aggregate_id = ANY(%(keys)s) FOR SHARE
