-- Deletes rows of the outbox, whoever has published them.
DELETE FROM outbox WHERE id = ANY(%(ids)s)
