-- Of streams that were to go on after a version, that version's aggregate type; null where there is no such version.
SELECT continued.aggregate_id, continued.version, last.aggregate_type
FROM unnest(%(aggregate_ids)s::uuid[], %(versions)s::integer[]) AS continued (aggregate_id, version)
LEFT JOIN event_store AS last ON last.aggregate_id = continued.aggregate_id AND last.version = continued.version
