-- Remembers how far a follower has come, in the transaction that holds the effect of what it has read.
INSERT INTO follower_checkpoints (follower, checkpoint, updated_at)
VALUES (%(follower)s, %(checkpoint)s, clock_timestamp())
ON CONFLICT (follower) DO UPDATE SET checkpoint = excluded.checkpoint, updated_at = excluded.updated_at
