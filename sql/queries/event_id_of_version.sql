-- The id of one event of an aggregate, by its version.
SELECT event_id FROM event_store WHERE aggregate_id = %(aggregate_id)s AND version = %(version)s
