-- Takes events in bulk; the database assigns position, transaction and time as it does to an appended one.
COPY event_store
    (event_id, aggregate_id, aggregate_type, event_type, event_data, metadata, version, schema_version)
FROM STDIN
