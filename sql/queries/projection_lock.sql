-- Keeps everybody from a table until the end of the transaction, which changes it for another.
LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE
