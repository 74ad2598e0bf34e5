-- The columns of a table, the type of each, and whether values of it can be compared.
SELECT attname, format_type(atttypid, NULL),
       EXISTS (SELECT FROM pg_opclass JOIN pg_am ON pg_am.oid = opcmethod
               WHERE opcdefault AND amname = 'btree' AND (opcintype = atttypid OR atttypid = 'varchar'::regtype))
FROM pg_attribute
WHERE attrelid = %(table)s::regclass AND attnum > 0 AND NOT attisdropped
