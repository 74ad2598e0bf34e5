-- Lets a follower begin again from the start of the log.
DELETE FROM follower_checkpoints WHERE follower = %(follower)s
