-- What depends on a table and is no part of it, such as a view: it would keep the table from being dropped.
SELECT DISTINCT pg_describe_object(classid, objid, 0)
FROM pg_depend AS dependent
WHERE refclassid = 'pg_class'::regclass AND refobjid = to_regclass(%(table)s) AND deptype = 'n'
  AND NOT EXISTS (SELECT FROM pg_depend AS part
                  WHERE (part.classid, part.objid, part.refclassid, part.refobjid)
                      = (dependent.classid, dependent.objid, dependent.refclassid, dependent.refobjid) AND part.deptype IN ('a', 'i'))
ORDER BY 1
