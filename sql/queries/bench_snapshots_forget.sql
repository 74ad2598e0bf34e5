-- Forgets the snapshots of some orders above a version, so that they are due again.
DELETE FROM aggregate_snapshots WHERE aggregate_id = ANY(%(aggregate_ids)s) AND version > %(above)s
