-- How many events the rows of a read model contain.
SELECT coalesce(sum(last_event_version), 0)::bigint FROM order_projections
