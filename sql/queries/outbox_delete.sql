-- Forgets outbox rows whose messages Kafka has acknowledged.
DELETE FROM outbox WHERE id = ANY(%(ids)s)
