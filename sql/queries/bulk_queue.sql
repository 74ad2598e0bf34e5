-- Queues what this very transaction has loaded in bulk for Kafka.
INSERT INTO outbox
    (event_id, aggregate_id, aggregate_type, event_type, event_data, metadata, version, schema_version, position, created_at)
SELECT event_id, aggregate_id, aggregate_type, event_type, event_data, metadata, version, schema_version, position, created_at
FROM event_store
WHERE tx_id = pg_current_xact_id() AND position > %(after)s
ORDER BY position
