-- Forgets every snapshot of a type: loads replay the log until there are new ones.
DELETE FROM aggregate_snapshots WHERE aggregate_type = %(aggregate_type)s
