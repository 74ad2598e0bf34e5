-- A rebuild that is under way.
SELECT version, checkpoint, indexes, loaded FROM projection_builds WHERE projection = %(projection)s
