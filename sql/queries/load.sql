-- Brings what a load needs in one round trip: the newest usable snapshot of an aggregate and the events after it, in order.
-- A snapshot is usable if it holds today's state class and ends with an event that is in the log. The snapshot comes as a row
-- without an event type; a newer one that is not usable as one without a state, so that somebody hears of it.
WITH candidate AS (
    SELECT snapshot.version,
           CASE WHEN snapshot.aggregate_type <> %(aggregate_type)s OR snapshot.state_schema <> %(state_schema)s THEN 'stale'
                WHEN snapshot.position IS DISTINCT FROM
                     (SELECT last.position FROM event_store AS last
                      WHERE last.aggregate_id = %(aggregate_id)s AND last.version = snapshot.version
                        AND last.event_id = snapshot.event_id) THEN 'unknown'
           END AS unusable
    FROM aggregate_snapshots AS snapshot
    WHERE snapshot.aggregate_id = %(aggregate_id)s AND snapshot.version < %(before)s
),
chosen AS (
    SELECT version FROM candidate WHERE unusable IS NULL ORDER BY version DESC LIMIT 1
)
(SELECT NULL AS event_type, 0::smallint AS schema_version, NULL AS data, candidate.unusable AS about, candidate.version
 FROM candidate
 WHERE candidate.unusable IS NOT NULL AND candidate.version > COALESCE((SELECT version FROM chosen), 0))
UNION ALL
(SELECT NULL, 0::smallint, snapshot.state::text, snapshot.event_id || ' ' || snapshot.position || ' ' || encode(snapshot.sha256, 'hex'), snapshot.version
 FROM aggregate_snapshots AS snapshot
 WHERE snapshot.aggregate_id = %(aggregate_id)s AND snapshot.version = (SELECT version FROM chosen))
UNION ALL
(SELECT event_type, schema_version, event_data::text,
        CASE WHEN event_type = ANY(%(upcast_types)s) THEN metadata::text END, version
 FROM event_store
 WHERE aggregate_id = %(aggregate_id)s AND aggregate_type = %(aggregate_type)s
   AND version > COALESCE((SELECT version FROM chosen), 0)
 ORDER BY version
 LIMIT %(limit)s)
