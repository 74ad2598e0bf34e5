-- Which version of a projection has made its table, and since when it is paused.
SELECT version, paused_since FROM projections WHERE projection = %(projection)s
