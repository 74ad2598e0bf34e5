-- Notes messages that a projection has missed, since they were gone from the topic before it read them.
INSERT INTO missed_messages (projection, topic_id, partition, first_offset, last_offset)
SELECT %(projection)s, %(topic_id)s, missed.*
FROM json_to_recordset(%(messages)s::json) AS missed (partition integer, first_offset bigint, last_offset bigint)
ON CONFLICT DO NOTHING
