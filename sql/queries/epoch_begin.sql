-- Begins a new epoch if the log has come to another cluster or timeline: what it holds by now was written before.
INSERT INTO log_epochs (epoch, cluster, after_position)
SELECT newest.epoch + 1, log_cluster(),
       GREATEST((SELECT max(position) FROM event_store), (SELECT last_value FROM event_store_position_seq))
FROM (SELECT epoch, cluster FROM log_epochs ORDER BY epoch DESC LIMIT 1) AS newest
WHERE newest.cluster <> log_cluster()
RETURNING epoch, after_position
