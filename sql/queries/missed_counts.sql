-- How many messages some projections have missed since they were last rebuilt.
SELECT projection, sum(last_offset - first_offset + 1)::bigint
FROM missed_messages
WHERE projection = ANY(%(projections)s)
GROUP BY projection
