-- Where a projection goes on in each partition of its topic, and of which topic (by id) that is true.
SELECT partition, topic_id, next_offset, leader_epoch FROM projection_offsets WHERE projection = %(projection)s AND topic = %(topic)s
