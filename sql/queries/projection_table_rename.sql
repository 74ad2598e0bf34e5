-- Gives a table another name.
ALTER TABLE {table} RENAME TO {other}
