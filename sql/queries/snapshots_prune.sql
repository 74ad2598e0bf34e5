-- Forgets all but the newest snapshots of every aggregate of a type, and those of another state class than today's.
DELETE FROM aggregate_snapshots AS snapshot
WHERE snapshot.aggregate_type = %(aggregate_type)s
  AND (snapshot.state_schema <> %(state_schema)s
       OR (SELECT count(*) FROM aggregate_snapshots AS newer
           WHERE newer.aggregate_id = snapshot.aggregate_id AND newer.version > snapshot.version
             AND newer.state_schema = %(state_schema)s) >= %(keep)s)
