-- Some rows of a read model, whole, as JSON; the time of projection apart, since no fold can tell it.
SELECT {key}, to_jsonb({table}) - 'projected_at', projected_at
FROM {table}
WHERE {key} = ANY(%(keys)s)
