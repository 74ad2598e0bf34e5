-- The names of a table's indexes.
SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE indrelid = %(table)s::regclass
