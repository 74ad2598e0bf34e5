-- Adds up how many events of a projection took how long, by minute and partition.
INSERT INTO projection_lag (projection, minute, partition, up_to_ms, events, total_ms)
SELECT %(projection)s, measured.*
FROM json_to_recordset(%(measured)s::json)
    AS measured (minute timestamptz, partition integer, up_to_ms integer, events bigint, total_ms double precision)
ON CONFLICT (projection, minute, partition, up_to_ms) DO UPDATE
SET events = projection_lag.events + excluded.events, total_ms = projection_lag.total_ms + excluded.total_ms
