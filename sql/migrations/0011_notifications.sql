-- What people were told: one row for each event and recipient, noted before the push is sent and settled after it. Its words are
-- not kept, since they may be personal; templates make them again from the log.
CREATE TABLE notifications (
    aggregate_id uuid         NOT NULL,
    version      integer      NOT NULL,
    recipient    varchar(256) NOT NULL, -- '' when it was not yet known whom to tell
    event_type   varchar(256) NOT NULL,
    title        text         NOT NULL,
    state        varchar(16)  NOT NULL DEFAULT 'sending'
                 CHECK (state IN ('sending', 'sent', 'refused', 'failed', 'expired')),
    attempts     integer      NOT NULL DEFAULT 1,
    error        text,
    noted_at     timestamptz  NOT NULL DEFAULT clock_timestamp(),
    settled_at   timestamptz,
    PRIMARY KEY (aggregate_id, version, recipient)
);
CREATE INDEX notifications_unsent ON notifications (noted_at) WHERE state <> 'sent';

GRANT SELECT, INSERT, UPDATE, DELETE ON notifications TO eventlib_application;
