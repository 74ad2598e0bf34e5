-- The statements that make the keys and indexes of a table anew, keys first, and those that drop them, in the same order.
SELECT CASE WHEN conname IS NULL THEN pg_get_indexdef(indexrelid)
            ELSE format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', indrelid::regclass, conname, pg_get_constraintdef(pg_constraint.oid)) END,
       CASE WHEN conname IS NULL THEN format('DROP INDEX %%s', indexrelid::regclass)
            ELSE format('ALTER TABLE %%s DROP CONSTRAINT %%I', indrelid::regclass, conname) END
FROM pg_index
LEFT JOIN pg_constraint ON conindid = indexrelid AND contype IN ('p', 'u', 'x')
WHERE indrelid = %(table)s::regclass
ORDER BY conname IS NULL, indexrelid
