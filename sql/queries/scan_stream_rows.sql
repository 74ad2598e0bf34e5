-- The same with no more of an event than a fold needs that looks at the event alone; metadata only where an upcaster may ask for them.
COPY (SELECT aggregate_id,
             string_agg(event_type || E'\x1f' || schema_version || E'\x1f' || version || E'\x1f' || event_data || E'\x1f'
                        || CASE WHEN event_type = ANY ({upcast_types}::text[]) THEN metadata::text ELSE '' END,
                        E'\x1e' ORDER BY version)
      FROM {partition}
      WHERE aggregate_type = {aggregate_type}
      GROUP BY aggregate_id, (version - 1) / 1000
      ORDER BY aggregate_id, (version - 1) / 1000) TO STDOUT
