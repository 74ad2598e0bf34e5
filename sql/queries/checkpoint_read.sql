-- How far a follower of the log has come.
SELECT checkpoint::text FROM follower_checkpoints WHERE follower = %(follower)s
