-- Lets one process at a time migrate a database; held until the end of the transaction.
SELECT pg_advisory_xact_lock(%(key)s)
