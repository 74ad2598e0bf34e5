-- The bytes on disk of the log, the outbox and the snapshots: of each table alone, and of each of its indexes, in all partitions.
SELECT root.relname AS belongs_to, part_root.relname AS name,
       sum(CASE WHEN part_root.relkind IN ('r', 'p') THEN pg_table_size(part.relid) ELSE pg_relation_size(part.relid) END)::bigint
FROM pg_class AS root
CROSS JOIN LATERAL (SELECT root.oid UNION ALL SELECT indexrelid FROM pg_index WHERE indrelid = root.oid) AS member (oid)
JOIN pg_class AS part_root ON part_root.oid = member.oid
CROSS JOIN LATERAL (SELECT relid FROM pg_partition_tree(member.oid)
                    UNION SELECT member.oid) AS part
WHERE root.oid IN ('event_store'::regclass, 'outbox'::regclass, 'aggregate_snapshots'::regclass)
GROUP BY root.relname, part_root.relname, part_root.relkind
ORDER BY root.relname, part_root.relkind NOT IN ('r', 'p'), part_root.relname
