-- One row of a read model, whole, as JSON, with which version has made its table and how often that was changed for another one.
SELECT to_jsonb({table}) - 'projected_at', {table}.projected_at, projections.version, projections.generation
FROM {table}, projections
WHERE {table}.{key} = %(key)s AND projections.projection = %(projection)s
