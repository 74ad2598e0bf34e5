-- Lets the application keep a read model up to date.
GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO eventlib_application
