-- Keeps how far a projection has come beside the table that is being replaced.
INSERT INTO projection_predecessors (projection, offsets)
SELECT %(predecessor)s, coalesce(json_agg(json_build_object('topic', topic, 'partition', partition, 'topic_id', topic_id,
                                                            'next_offset', next_offset)), '[]')
FROM projection_offsets
WHERE projection = %(projection)s
