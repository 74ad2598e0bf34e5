-- The columns of a table, and whether values of each can be compared.
SELECT attname, EXISTS (SELECT FROM pg_opclass JOIN pg_am ON pg_am.oid = opcmethod
                        WHERE opcdefault AND amname = 'btree' AND (opcintype = atttypid OR atttypid = 'varchar'::regtype))
FROM pg_attribute
WHERE attrelid = %(table)s::regclass AND attnum > 0 AND NOT attisdropped
