-- Records messages that are no events of eventlib and belong to no aggregate that could be told.
INSERT INTO unreadable_messages (projection, topic_id, partition, "offset", error)
SELECT %(projection)s, %(topic_id)s, unreadable.*
FROM json_to_recordset(%(messages)s::json) AS unreadable (partition integer, "offset" bigint, error text)
ON CONFLICT DO NOTHING
