-- One hash partition of the log, all of it, in no order: the quickest way through many events. Each comes with its type and
-- shape, by which a reader knows how to decode the rest, and as one JSON array, which a decoder takes in one call.
COPY (SELECT event_type, schema_version,
             '["' || event_id || '","' || aggregate_id || '",' || to_json(aggregate_type) || ',' || version || ',' || position
                  || ',' || to_json(created_at) || ',' || event_data || ',' || metadata || ']'
      FROM {partition}) TO STDOUT
