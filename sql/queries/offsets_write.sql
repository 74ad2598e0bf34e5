-- Records how far a projection has come, in the transaction that wrote its rows, and says when. Never backwards on the same
-- topic: then it says nothing. What was written in a later term of the partition's leader is further on whatever its offset, since
-- the partition was cut back then.
INSERT INTO projection_offsets (projection, topic, partition, topic_id, next_offset, leader_epoch)
SELECT %(projection)s, %(topic)s, incoming.partition, %(topic_id)s, incoming.next_offset, incoming.leader_epoch
FROM json_to_recordset(%(offsets)s::json) AS incoming (partition integer, next_offset bigint, leader_epoch integer)
ON CONFLICT (projection, topic, partition) DO UPDATE
SET topic_id = excluded.topic_id, next_offset = excluded.next_offset, leader_epoch = excluded.leader_epoch
WHERE projection_offsets.topic_id <> excluded.topic_id
    OR (coalesce(projection_offsets.leader_epoch, -1), projection_offsets.next_offset)
        < (coalesce(excluded.leader_epoch, -1), excluded.next_offset)
RETURNING clock_timestamp()
