-- Sets the rows of a table aside until the end of the transaction.
CREATE TEMPORARY TABLE set_aside ON COMMIT DROP AS TABLE {table}
