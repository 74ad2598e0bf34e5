-- The events of an aggregate type in one hash partition of the log, stream by stream; otherwise as scan.sql.
COPY (SELECT event_type, schema_version,
             '["' || event_id || '","' || aggregate_id || '",' || to_json(aggregate_type) || ',' || version || ',' || position
                  || ',' || to_json(created_at) || ',' || event_data || ',' || metadata || ']'
      FROM {partition}
      WHERE aggregate_type = {aggregate_type}
      ORDER BY aggregate_id, version) TO STDOUT
