-- What the projectors keep beside their tables. The tables themselves are made from sql/projections.

-- Every projection that has a table here, and by which version of its fold that was made.
CREATE TABLE projections (
    projection   varchar(128) PRIMARY KEY,
    version      integer      NOT NULL,
    paused_since timestamptz
);
INSERT INTO projections (projection, version) VALUES ('order_projections', 1);

-- Aggregates that a projection has left behind at an event it cannot take; what follows waits in the log.
CREATE TABLE dead_events (
    projection   varchar(128) NOT NULL,
    aggregate_id uuid         NOT NULL,
    version      integer      NOT NULL,
    place        text         NOT NULL,
    error        text         NOT NULL,
    attempts     integer      NOT NULL DEFAULT 1,
    parked_at    timestamptz  NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (projection, aggregate_id)
);

-- Messages that are no events of eventlib, or damaged ones, and belong to no aggregate that could be told.
CREATE TABLE unreadable_messages (
    projection  varchar(128) NOT NULL,
    topic_id    varchar(64)  NOT NULL,
    partition   integer      NOT NULL,
    "offset"    bigint       NOT NULL,
    error       text         NOT NULL,
    consumed_at timestamptz  NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (projection, topic_id, partition, "offset")
);

-- From an event's commit to its being visible: how many events took at most so many milliseconds, by minute.
CREATE TABLE projection_lag (
    projection varchar(128)     NOT NULL,
    minute     timestamptz      NOT NULL,
    partition  integer          NOT NULL,
    up_to_ms   integer          NOT NULL,
    events     bigint           NOT NULL,
    total_ms   double precision NOT NULL,
    PRIMARY KEY (projection, minute, partition, up_to_ms)
);
CREATE INDEX projection_lag_minute ON projection_lag (minute);

GRANT SELECT, INSERT, UPDATE, DELETE ON dead_events, unreadable_messages, projection_lag TO eventlib_application;
GRANT SELECT ON projections TO eventlib_application;
GRANT UPDATE (paused_since) ON projections TO eventlib_application;
