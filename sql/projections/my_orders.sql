-- "My orders" in the app: a customer's orders, the newest first, each with what a list shows of it. The state is json: jsonb would
-- change the order of its keys, and the headline is of the first line.
CREATE TABLE {table} (
    order_id           uuid        PRIMARY KEY,
    user_id            uuid,
    placed_at          timestamptz,
    status             varchar(32) NOT NULL,
    headline           text        NOT NULL,
    item_count         integer     NOT NULL,
    total_cents        bigint      NOT NULL,
    currency           varchar(3),
    last_event_version integer     NOT NULL,
    projected_at       timestamptz NOT NULL,
    snapshot           json        NOT NULL
);
CREATE INDEX ON {table} (user_id, placed_at DESC, order_id)
