-- How many pushes are being tried, and for how many seconds the oldest of them has been.
SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(noted_at)), 0)::double precision
FROM notifications
WHERE state = 'sending'
