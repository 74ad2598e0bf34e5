-- The column that is a table's primary key.
SELECT attname
FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
WHERE indrelid = %(table)s::regclass AND indisprimary
