-- The log: every event of every aggregate, append-only, partitioned by aggregate so that one constraint guards it all.
CREATE TABLE event_store (
    event_id       uuid         NOT NULL DEFAULT gen_random_uuid(),
    aggregate_id   uuid         NOT NULL,
    aggregate_type varchar(128) NOT NULL,
    event_type     varchar(256) NOT NULL,
    event_data     jsonb        NOT NULL,
    metadata       jsonb        NOT NULL DEFAULT '{}',
    version        integer      NOT NULL CHECK (version > 0),
    created_at     timestamptz  NOT NULL DEFAULT now(),
    schema_version smallint     NOT NULL DEFAULT 1,
    position       bigint       NOT NULL GENERATED ALWAYS AS IDENTITY,
    tx_id          xid8         NOT NULL DEFAULT pg_current_xact_id(),
    CONSTRAINT event_store_version UNIQUE (aggregate_id, version),
    CONSTRAINT event_store_event_id UNIQUE (aggregate_id, event_id)
) PARTITION BY HASH (aggregate_id);

CREATE INDEX event_store_type ON event_store (event_type, created_at);
CREATE INDEX event_store_transaction ON event_store (tx_id, position);

-- A row trigger on the parent is cloned to every partition, those created later included.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % refused: the log is append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', HINT = 'Append a correcting event instead.';
END
$$;

CREATE TRIGGER event_store_append_only BEFORE UPDATE OR DELETE ON event_store
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER event_store_no_truncate BEFORE TRUNCATE ON event_store
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE event_store ENABLE ALWAYS TRIGGER event_store_append_only;
ALTER TABLE event_store ENABLE ALWAYS TRIGGER event_store_no_truncate;

-- The number of partitions is fixed here, for ever; the runner passes it as the setting eventlib.store_partitions.
DO $$
DECLARE
    partitions CONSTANT integer := current_setting('eventlib.store_partitions')::integer;
    partition  text;
BEGIN
    FOR remainder IN 0 .. partitions - 1 LOOP
        partition := format('event_store_%s', lpad(remainder::text, 4, '0'));
        EXECUTE format('CREATE TABLE %I PARTITION OF event_store FOR VALUES WITH (MODULUS %s, REMAINDER %s)',
                       partition, partitions, remainder);
        EXECUTE format('CREATE TRIGGER event_store_no_truncate BEFORE TRUNCATE ON %I
                        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', partition);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER event_store_append_only', partition);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER event_store_no_truncate', partition);
    END LOOP;
END
$$;
