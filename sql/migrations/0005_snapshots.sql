-- A snapshot says which state class it holds, which event it ends with, and what its content hashes to, so that whoever loads
-- it can tell one that lies. Its state is json, which keeps every byte and the order of keys; jsonb would keep neither.
-- Snapshots are derived: those of before are not worth keeping.
DELETE FROM aggregate_snapshots;

ALTER TABLE aggregate_snapshots
    ALTER COLUMN state TYPE json,
    ADD COLUMN event_id     uuid         NOT NULL,
    ADD COLUMN state_schema varchar(128) NOT NULL,
    ADD COLUMN sha256       bytea        NOT NULL;
