-- The statements that grant rights on another table to those who have them on this one.
WITH granted AS (
    SELECT '' AS on_column, rights.* FROM pg_class, aclexplode(relacl) AS rights WHERE oid = %(table)s::regclass
    UNION ALL
    SELECT format(' (%%I)', present.attname), rights.*
    FROM pg_attribute AS present JOIN pg_attribute AS other USING (attname), aclexplode(present.attacl) AS rights
    WHERE present.attrelid = %(table)s::regclass AND other.attrelid = %(other)s::regclass AND NOT other.attisdropped
)
SELECT format('GRANT %%s%%s ON %%s TO %%s%%s', privilege_type, on_column, %(other)s::regclass,
              CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
              CASE WHEN is_grantable THEN ' WITH GRANT OPTION' END)
FROM granted
