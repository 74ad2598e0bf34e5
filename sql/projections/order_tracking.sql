-- "Where is my order?": the steps of an order and when each was reached.
CREATE TABLE {table} (
    order_id           uuid        PRIMARY KEY,
    step               varchar(32) NOT NULL,
    placed_at          timestamptz,
    submitted_at       timestamptz,
    paid_at            timestamptz,
    shipped_at         timestamptz,
    delivered_at       timestamptz,
    ended_at           timestamptz,
    carrier            text,
    tracking_number    text,
    last_event_version integer     NOT NULL,
    projected_at       timestamptz NOT NULL,
    snapshot           jsonb       NOT NULL
)
