-- Empties a table of a scratch database.
TRUNCATE {table}
