-- An aggregate is no longer left behind; whoever projects waits until the end of the transaction for it.
DELETE FROM dead_events WHERE projection = %(projection)s AND aggregate_id = %(aggregate_id)s
