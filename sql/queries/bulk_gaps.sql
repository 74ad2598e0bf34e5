-- Of streams that were to go on after a version: that version's aggregate type, null where there is none, and whether it was
-- written before the next one was.
SELECT continued.aggregate_id, continued.version, last.aggregate_type, last.position < next.position
FROM unnest(%(aggregate_ids)s::uuid[], %(versions)s::integer[]) AS continued (aggregate_id, version)
LEFT JOIN event_store AS last ON last.aggregate_id = continued.aggregate_id AND last.version = continued.version
LEFT JOIN event_store AS next ON next.aggregate_id = continued.aggregate_id AND next.version = continued.version + 1
