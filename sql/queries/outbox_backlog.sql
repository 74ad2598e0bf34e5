-- How much is committed and not yet published, and how old the oldest of it is, in seconds.
SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::double precision FROM outbox
