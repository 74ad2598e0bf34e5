-- In which term of the partition's leader (KIP-320) the last message was written that a projection has applied: if another one stands in
-- its place, the partition was cut back.
ALTER TABLE projection_offsets ADD COLUMN leader_epoch integer;

-- Messages that were gone from the topic before they were read; a rebuild makes up for them.
CREATE TABLE missed_messages (
    projection   varchar(128) NOT NULL,
    topic_id     varchar(64)  NOT NULL,
    partition    integer      NOT NULL,
    first_offset bigint       NOT NULL,
    last_offset  bigint       NOT NULL,
    found_at     timestamptz  NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (projection, topic_id, partition, first_offset)
);
GRANT SELECT, INSERT, DELETE ON missed_messages TO eventlib_application;

-- Whose a push is: several notifications may tell the same person of the same event.
ALTER TABLE notifications ADD COLUMN told_by varchar(128) NOT NULL DEFAULT 'order_notifications';
ALTER TABLE notifications
    ALTER COLUMN told_by DROP DEFAULT,
    DROP CONSTRAINT notifications_pkey,
    ADD PRIMARY KEY (told_by, aggregate_id, version, recipient);
