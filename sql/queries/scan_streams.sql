-- The events of an aggregate type in one hash partition of the log, stream by stream and in order: a line for up to a thousand
-- events, since a line costs the client more than an event. Events are separated by the character 30, and the type and shape of one
-- from its JSON array by 31: neither can stand in JSON.
COPY (SELECT aggregate_id,
             string_agg(event_type || E'\x1f' || schema_version || E'\x1f'
                        || '["' || event_id || '","' || aggregate_id || '",' || to_json(aggregate_type) || ',' || version || ','
                        || position || ',' || to_json(created_at) || ',' || event_data || ',' || metadata || ']',
                        E'\x1e' ORDER BY version)
      FROM {partition}
      WHERE aggregate_type = {aggregate_type}
      GROUP BY aggregate_id, (version - 1) / 1000
      ORDER BY aggregate_id, (version - 1) / 1000) TO STDOUT
