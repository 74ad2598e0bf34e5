-- Notes what was loaded from a partition, in the same transaction.
UPDATE projection_build_parts SET rows = %(rows)s, events = %(events)s
WHERE projection = %(projection)s AND partition = %(partition)s
