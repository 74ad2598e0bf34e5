-- Records how far a projection has come, in the transaction that wrote its rows, and says when. Never backwards on the same
-- topic: then it says nothing.
INSERT INTO projection_offsets (projection, topic, partition, topic_id, next_offset)
SELECT %(projection)s, %(topic)s, incoming.partition, %(topic_id)s, incoming.next_offset
FROM json_to_recordset(%(offsets)s::json) AS incoming (partition integer, next_offset bigint)
ON CONFLICT (projection, topic, partition) DO UPDATE
SET topic_id = excluded.topic_id, next_offset = excluded.next_offset
WHERE projection_offsets.topic_id <> excluded.topic_id OR projection_offsets.next_offset < excluded.next_offset
RETURNING clock_timestamp()
