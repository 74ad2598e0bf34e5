-- The version of one event of an aggregate, by the event's id.
SELECT version FROM event_store WHERE aggregate_id = %(aggregate_id)s AND event_id = %(event_id)s
