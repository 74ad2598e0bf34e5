-- The identity of this log, given to it when the schema was made.
SELECT log_id FROM log_identity
