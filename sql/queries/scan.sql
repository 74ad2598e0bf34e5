-- One hash partition of the log, all of it, in no order: the quickest way through many events.
COPY (SELECT event_id, aggregate_id, aggregate_type, event_type, schema_version, event_data, metadata, version, position, created_at
      FROM {partition}) TO STDOUT
