-- Writes one event and its outbox row with no check at all: the least that a writer who brings one event at a time can send.
WITH appended AS (
    INSERT INTO event_store
        (event_id, aggregate_id, aggregate_type, event_type, event_data, metadata, version, schema_version)
    VALUES (%(event_id)s, %(aggregate_id)s, %(aggregate_type)s, %(event_type)s, %(event_data)s, %(metadata)s, %(version)s,
            %(schema_version)s)
    RETURNING *
)
INSERT INTO outbox
    (event_id, aggregate_id, aggregate_type, event_type, event_data, metadata, version, schema_version, position, created_at)
SELECT event_id, aggregate_id, aggregate_type, event_type, event_data, metadata, version, schema_version, position, created_at
FROM appended
