-- Fills the outbox again with the rows that were kept.
INSERT INTO outbox (id, event_id, aggregate_id, aggregate_type, event_type, event_data, metadata, version, schema_version, position,
                    created_at) OVERRIDING SYSTEM VALUE
SELECT id, event_id, aggregate_id, aggregate_type, event_type, event_data, metadata, version, schema_version, position, created_at
FROM bench_outbox
ON CONFLICT DO NOTHING
