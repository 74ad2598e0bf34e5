-- Forgets all but the newest snapshots of one aggregate.
DELETE FROM aggregate_snapshots
WHERE aggregate_id = %(aggregate_id)s
  AND version < (SELECT min(newest.version)
                 FROM (SELECT version FROM aggregate_snapshots
                       WHERE aggregate_id = %(aggregate_id)s ORDER BY version DESC LIMIT %(keep)s) AS newest)
