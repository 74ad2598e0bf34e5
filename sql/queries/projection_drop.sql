-- Drops the table of a rebuild, or one that was replaced.
DROP TABLE IF EXISTS {table}
