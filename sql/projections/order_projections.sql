-- Every order: the columns that lists are made of, and the whole folded state beside them.
CREATE TABLE {table} (
    order_id           uuid        PRIMARY KEY,
    user_id            uuid,
    status             varchar(32) NOT NULL,
    total_cents        bigint      NOT NULL,
    item_count         integer     NOT NULL,
    last_event_version integer     NOT NULL,
    projected_at       timestamptz NOT NULL,
    snapshot           jsonb       NOT NULL
)
