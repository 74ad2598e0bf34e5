-- How many aggregates each of some projections has left behind.
SELECT projection, count(*) FROM dead_events WHERE projection = ANY(%(projections)s) GROUP BY projection
