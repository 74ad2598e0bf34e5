-- What a rebuild was begun with, so that parts that another fold has made are not taken over; '' is of none.
ALTER TABLE projection_builds ADD COLUMN digest text NOT NULL DEFAULT '';

-- A table that was replaced is brought up to date from the log before a rollback puts it back: no offsets are needed for it. Without
-- a checkpoint, from the beginning of the log.
ALTER TABLE projection_predecessors ADD COLUMN checkpoint text;
ALTER TABLE projection_predecessors DROP COLUMN offsets;
