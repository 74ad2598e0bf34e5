-- Everything here is derived from event_store and can be deleted and built again.
CREATE TABLE order_projections (
    order_id           uuid        PRIMARY KEY,
    user_id            uuid,
    status             varchar(32) NOT NULL,
    total_cents        bigint      NOT NULL,
    item_count         integer     NOT NULL,
    last_event_version integer     NOT NULL,
    projected_at       timestamptz NOT NULL,
    snapshot           jsonb       NOT NULL
);

CREATE TABLE projection_offsets (
    projection  varchar(128) NOT NULL,
    topic       varchar(249) NOT NULL,
    partition   integer      NOT NULL,
    topic_id    varchar(64)  NOT NULL,
    next_offset bigint       NOT NULL,
    PRIMARY KEY (projection, topic, partition)
);

CREATE TABLE aggregate_snapshots (
    aggregate_id   uuid         NOT NULL,
    aggregate_type varchar(128) NOT NULL,
    version        integer      NOT NULL,
    state          jsonb        NOT NULL,
    created_at     timestamptz  NOT NULL DEFAULT now(),
    PRIMARY KEY (aggregate_id, version)
);
