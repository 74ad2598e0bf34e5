-- Sets a projection back to where it was when its table was replaced, and where it was nowhere yet, to the beginning.
WITH kept AS (
    SELECT kept.* FROM projection_predecessors,
         json_to_recordset(offsets) AS kept (topic text, partition integer, topic_id text, next_offset bigint)
    WHERE projection = %(predecessor)s
)
MERGE INTO projection_offsets AS present
USING (SELECT at.topic, at.partition, coalesce(kept.topic_id, at.topic_id) AS topic_id, coalesce(kept.next_offset, 0) AS next_offset
       FROM projection_offsets AS at LEFT JOIN kept USING (topic, partition)
       WHERE at.projection = %(projection)s) AS back
ON present.projection = %(projection)s AND present.topic = back.topic AND present.partition = back.partition
WHEN MATCHED THEN UPDATE SET topic_id = back.topic_id, next_offset = back.next_offset
