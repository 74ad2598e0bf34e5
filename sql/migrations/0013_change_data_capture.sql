-- The version of the CloudEvents specification, which a relay writes by itself: Kafka Connect can add a constant header only if it
-- does not look like a number.
ALTER TABLE outbox ADD COLUMN ce_specversion varchar(8) NOT NULL DEFAULT '1.0';
