-- Which version of a projection has made its table.
SELECT version FROM projections WHERE projection = %(projection)s
