-- The indexes of the log, the constraint that each of them serves, if any, and the bytes of its parts in all partitions.
SELECT index.relname, guard.conname, sum(pg_relation_size(part.relid))::bigint
FROM pg_index
JOIN pg_class AS index ON index.oid = indexrelid
LEFT JOIN pg_constraint AS guard ON guard.conindid = indexrelid
CROSS JOIN LATERAL pg_partition_tree(indexrelid) AS part
WHERE indrelid = 'event_store'::regclass
GROUP BY index.relname, guard.conname
ORDER BY index.relname
