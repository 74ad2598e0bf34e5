-- One hash partition of the log, column by column: the least that bringing all events to a client can take.
COPY (SELECT event_id, aggregate_id, aggregate_type, event_type, schema_version, event_data, metadata, version, position, created_at
      FROM {partition}) TO STDOUT
