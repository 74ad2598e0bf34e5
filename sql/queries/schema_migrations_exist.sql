-- Whether any migration was ever applied here.
SELECT to_regclass('schema_migrations') IS NOT NULL
