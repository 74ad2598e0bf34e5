-- Which of some aggregates have at least so many events since their newest snapshot of today's state class.
SELECT logged.aggregate_id
FROM unnest(%(aggregate_ids)s::uuid[]) AS logged (aggregate_id)
CROSS JOIN LATERAL (SELECT version, aggregate_type FROM event_store
                    WHERE aggregate_id = logged.aggregate_id ORDER BY version DESC LIMIT 1) AS last
WHERE last.aggregate_type = %(aggregate_type)s
  AND last.version - COALESCE((SELECT max(version) FROM aggregate_snapshots AS snapshot
                               WHERE snapshot.aggregate_id = logged.aggregate_id
                                 AND snapshot.state_schema = %(state_schema)s
                                 AND snapshot.version <= last.version), 0) >= %(every)s
