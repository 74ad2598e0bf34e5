-- Keeps projectors from writing until the end of the transaction; readers go on reading.
LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE
