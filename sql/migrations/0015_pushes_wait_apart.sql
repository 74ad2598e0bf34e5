-- Pushes wait in the table, each by itself: when it is due, or until when somebody who is sending it has it to himself.
ALTER TABLE notifications
    ADD COLUMN recorded_at timestamptz, -- when the event's transaction began, where that is known
    ADD COLUMN due_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    ALTER COLUMN attempts SET DEFAULT 0;
CREATE INDEX notifications_due ON notifications (due_at) WHERE state = 'sending';
CREATE INDEX notifications_noted ON notifications (noted_at); -- to forget by
CREATE INDEX notifications_lost ON notifications (settled_at) WHERE state IN ('refused', 'failed', 'expired');
