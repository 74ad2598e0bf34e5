-- Claims a partition for the transaction that loads it: whoever comes second waits for the first, and does nothing after it.
INSERT INTO projection_build_parts (projection, partition) VALUES (%(projection)s, %(partition)s)
ON CONFLICT DO NOTHING
RETURNING partition
