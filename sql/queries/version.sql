-- The present version of one aggregate; no row if it has no events.
SELECT version FROM event_store WHERE aggregate_id = %(aggregate_id)s ORDER BY version DESC LIMIT 1
