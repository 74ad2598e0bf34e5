-- Gives this connection the turn of a worker of which only one works at a time, unless another has it; it ends with the connection.
SELECT pg_try_advisory_lock(hashtextextended(%(worker)s, 0))
