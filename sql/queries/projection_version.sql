-- Which version of a projection has made its table, since when it is paused, and how often its table was changed for another.
SELECT version, paused_since, generation FROM projections WHERE projection = %(projection)s
