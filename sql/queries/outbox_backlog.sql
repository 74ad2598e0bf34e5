-- How much is committed and not yet published, and how old the oldest of it is, in seconds, that nothing holds back.
SELECT count(*),
       coalesce(extract(epoch FROM clock_timestamp() - min(created_at) FILTER (
           WHERE NOT EXISTS (SELECT FROM outbox_held AS held WHERE held.aggregate_id = outbox.aggregate_id)
       )), 0)::double precision
FROM outbox
