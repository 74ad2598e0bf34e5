-- A snapshot also says where in the log its last event stands: an event's id derives from its command, and the same command
-- sent again after the log was set back would bear out a snapshot of the lost history. Snapshots can be taken again.
DELETE FROM aggregate_snapshots;
ALTER TABLE aggregate_snapshots ADD COLUMN position bigint NOT NULL;
