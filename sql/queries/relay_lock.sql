-- Makes this connection's process the relay of this database, unless another one is; the lock ends with the connection.
SELECT pg_try_advisory_lock(%(key)s)
