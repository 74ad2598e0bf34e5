-- How many pushes are in which state, for how many seconds the oldest of each has been noted, and how many within a day.
SELECT state, count(*), extract(epoch FROM clock_timestamp() - min(noted_at))::double precision,
       count(*) FILTER (WHERE noted_at > clock_timestamp() - interval '24 hours')
FROM notifications
GROUP BY state
