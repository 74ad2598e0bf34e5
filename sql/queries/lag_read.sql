-- How many events became visible within how many milliseconds lately, by projection and partition.
SELECT projection, partition, up_to_ms, sum(events)::bigint, sum(total_ms)
FROM projection_lag
WHERE minute >= date_trunc('minute', clock_timestamp() - %(since)s::interval)
GROUP BY projection, partition, up_to_ms
