-- Empties a read model, for readers at the end of the transaction only.
DELETE FROM {table}
