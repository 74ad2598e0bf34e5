-- How many events of an aggregate came after a version, and for how long, in seconds, the first of them has waited.
SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::double precision
FROM event_store
WHERE aggregate_id = %(aggregate_id)s AND version > %(version)s
