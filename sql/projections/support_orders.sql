-- A support agent's view: what went wrong with an order, what was paid and given back, and who did the last thing to it.
CREATE TABLE {table} (
    order_id           uuid        PRIMARY KEY,
    user_id            uuid,
    status             varchar(32) NOT NULL,
    attention          varchar(32),
    captured_cents     bigint      NOT NULL,
    refunded_cents     bigint      NOT NULL,
    open_refund_cents  bigint      NOT NULL,
    declined_payments  integer     NOT NULL,
    last_event         varchar(256) NOT NULL,
    last_actor         text        NOT NULL,
    last_event_at      timestamptz NOT NULL,
    last_event_version integer     NOT NULL,
    projected_at       timestamptz NOT NULL,
    snapshot           jsonb       NOT NULL
);
CREATE INDEX ON {table} (attention, last_event_at DESC) WHERE attention IS NOT NULL
