-- Which epoch the log is in, when it began, and whether the log still is where it began.
SELECT epoch, began_at, cluster = log_cluster() FROM log_epochs ORDER BY epoch DESC LIMIT 1
