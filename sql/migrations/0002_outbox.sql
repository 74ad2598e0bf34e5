-- What is committed and not yet published: written with its event, deleted once Kafka has acknowledged it.
CREATE TABLE outbox (
    id             bigint       PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    event_id       uuid         NOT NULL,
    aggregate_id   uuid         NOT NULL,
    aggregate_type varchar(128) NOT NULL,
    event_type     varchar(256) NOT NULL,
    event_data     jsonb        NOT NULL,
    metadata       jsonb        NOT NULL,
    version        integer      NOT NULL,
    schema_version smallint     NOT NULL,
    position       bigint       NOT NULL,
    created_at     timestamptz  NOT NULL
);
