-- Whether the log has come to another cluster or timeline than the one that its newest epoch began on.
SELECT cluster <> log_cluster() FROM log_epochs ORDER BY epoch DESC LIMIT 1
