-- The same with no more of an event than a fold needs that looks at the event alone: of each line the first and the last version,
-- and a JSON array with type, shape and data of every event; metadata only where an upcaster may ask for them.
COPY (SELECT aggregate_id, min(version), max(version),
             '[' || string_agg('[' || to_json(event_type || ' ' || schema_version) || ',' || event_data
                               || CASE WHEN event_type = ANY ({upcast_types}::text[]) THEN ',' || metadata::text ELSE '' END || ']',
                               ',' ORDER BY version) || ']'
      FROM {partition}
      WHERE aggregate_type = {aggregate_type}
      GROUP BY aggregate_id, (version - 1) / 1000
      ORDER BY aggregate_id, (version - 1) / 1000) TO STDOUT
