-- Keeps the outbox, to fill it again with the same rows.
CREATE TABLE bench_outbox AS TABLE outbox
