-- The moment up to which a reader of the whole log can read, the highest position handed out by now, the epoch that the log is
-- in, and whether this server still is the one that the epoch began on.
SELECT pg_current_snapshot()::text,
       (SELECT last_value FROM event_store_position_seq),
       (SELECT log_id FROM log_identity),
       log_cluster(),
       ARRAY(SELECT cluster FROM log_epochs ORDER BY epoch),
       ARRAY(SELECT after_position FROM log_epochs ORDER BY epoch)
