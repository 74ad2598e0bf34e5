-- How many pushes are in which state.
SELECT state, count(*) FROM notifications GROUP BY state
