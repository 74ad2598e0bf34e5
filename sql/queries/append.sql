-- Appends events to one aggregate, each with its outbox row, if the aggregate is still at the expected version.
-- One statement, so one transaction and one round trip. Always returns at least one row, with the actual version and type;
-- position is null when nothing was written.
WITH actual AS (
    SELECT version, aggregate_type
    FROM (SELECT 0 AS version, NULL AS aggregate_type
          UNION ALL
          (SELECT version, aggregate_type FROM event_store
           WHERE aggregate_id = %(aggregate_id)s ORDER BY version DESC LIMIT 1)) AS known
    ORDER BY version DESC
    LIMIT 1
),
appended AS (
    INSERT INTO event_store
        (event_id, aggregate_id, aggregate_type, event_type, event_data, metadata, version, schema_version)
    SELECT incoming.event_id, %(aggregate_id)s, %(aggregate_type)s::varchar, incoming.event_type, incoming.event_data,
           incoming.metadata, incoming.version, incoming.schema_version
    FROM actual,
         json_to_recordset(%(events)s::json) AS incoming
             (event_id uuid, event_type text, event_data jsonb, metadata jsonb, version integer, schema_version smallint)
    WHERE actual.version = %(expected_version)s
      AND (actual.aggregate_type IS NULL OR actual.aggregate_type = %(aggregate_type)s::varchar)
    ORDER BY incoming.version
    RETURNING *
),
queued AS (
    INSERT INTO outbox
        (event_id, aggregate_id, aggregate_type, event_type, event_data, metadata, version, schema_version, position,
         created_at)
    SELECT event_id, aggregate_id, aggregate_type, event_type, event_data, metadata, version, schema_version, position,
           created_at
    FROM appended
    ORDER BY version
)
SELECT actual.version, actual.aggregate_type, appended.position, appended.created_at
FROM actual LEFT JOIN appended ON true
ORDER BY appended.version
