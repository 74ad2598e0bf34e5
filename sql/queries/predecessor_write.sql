-- Notes up to where in the log a table that was replaced has been brought up to date.
INSERT INTO projection_predecessors (projection, checkpoint) VALUES (%(projection)s, %(checkpoint)s)
ON CONFLICT (projection) DO UPDATE SET checkpoint = excluded.checkpoint
