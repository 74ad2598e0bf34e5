-- How many pushes were refused, failed or expired within the last day.
SELECT state, count(*)
FROM notifications
WHERE state IN ('refused', 'failed', 'expired') AND settled_at > clock_timestamp() - interval '24 hours'
GROUP BY state
