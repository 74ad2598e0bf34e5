-- A rebuild that is under way.
SELECT digest, checkpoint, indexes, loaded FROM projection_builds WHERE projection = %(projection)s
