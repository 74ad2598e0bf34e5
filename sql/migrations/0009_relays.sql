-- What lets several relays share the outbox, an operator see it, and change data capture publish it instead of them.

-- Of one shard there is one relay at a time. A window between two moments is found by tx_id. ce_time is created_at, which is
-- the transaction's time, as a message carries it: whoever publishes the row publishes the same bytes.
ALTER TABLE outbox
    ADD COLUMN shard   smallint NOT NULL GENERATED ALWAYS AS ((uuid_hash(aggregate_id) & 63)::smallint) STORED,
    ADD COLUMN tx_id   xid8     NOT NULL DEFAULT pg_current_xact_id(),
    ADD COLUMN ce_time varchar(32);
UPDATE outbox SET ce_time = to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
ALTER TABLE outbox
    ALTER COLUMN ce_time SET NOT NULL,
    ALTER COLUMN ce_time SET DEFAULT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
CREATE INDEX outbox_transaction ON outbox (tx_id);

-- Rows come and go: the dead ones are to be cleared away by their number, not by their share of a table that is empty.
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
                        autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000);

-- Every relay that is at work, or was. Times are the database's.
CREATE TABLE relays (
    relay         uuid         PRIMARY KEY,
    place         varchar(256) NOT NULL,
    alive_until   timestamptz  NOT NULL,
    published     bigint       NOT NULL DEFAULT 0,
    last_error    text,
    last_error_at timestamptz
);

-- Whose a shard is, and until when. The epoch grows with every change of owner.
CREATE TABLE relay_shards (
    shard      smallint    PRIMARY KEY CHECK (shard BETWEEN 0 AND 63),
    owner      uuid,
    epoch      bigint      NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 20);
INSERT INTO relay_shards (shard) SELECT generate_series(0, 63);

-- Aggregates whose rows wait although Kafka is there: one was refused, or somebody has parked them. Without retry_at they
-- wait until somebody says otherwise.
CREATE TABLE outbox_held (
    aggregate_id uuid        PRIMARY KEY,
    shard        smallint    NOT NULL GENERATED ALWAYS AS ((uuid_hash(aggregate_id) & 63)::smallint) STORED,
    reason       text        NOT NULL,
    attempts     integer     NOT NULL,
    retry_at     timestamptz,
    held_since   timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Who publishes: the relays, or change data capture from a replication slot. Only the owner of the schema changes it.
CREATE TABLE outbox_publisher (
    only_row   boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    publisher  varchar(16) NOT NULL DEFAULT 'relay' CHECK (publisher IN ('relay', 'cdc')),
    slot       varchar(63) CHECK ((publisher = 'cdc') = (slot IS NOT NULL)),
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO outbox_publisher DEFAULT VALUES;

GRANT SELECT, INSERT, UPDATE, DELETE ON relays, outbox_held TO eventlib_application;
GRANT SELECT, UPDATE ON relay_shards TO eventlib_application;
GRANT SELECT ON outbox_publisher TO eventlib_application;
