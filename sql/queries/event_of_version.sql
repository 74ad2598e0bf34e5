-- Which event an aggregate has at a version, and where in the log it stands.
SELECT event_id, position FROM event_store WHERE aggregate_id = %(aggregate_id)s AND version = %(version)s
