-- What change data capture reads: inserts into the outbox, and nothing else.
CREATE PUBLICATION eventlib_outbox FOR TABLE outbox WITH (publish = 'insert')
