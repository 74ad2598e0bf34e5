-- Which log this is: every message says where it comes from, and a projector takes none of another log for one of its own.
CREATE TABLE log_identity (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    log_id   uuid    NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO log_identity DEFAULT VALUES;
