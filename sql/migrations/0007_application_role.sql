-- The application's role: what it has not been granted, no defect and no intruder in the application can do to the log.
-- Roles belong to the whole server; another database's migration may have made it already.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'eventlib_application') THEN
        CREATE ROLE eventlib_application NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        NULL;
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'the role eventlib_application is missing, and this role may not create it'
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'Have an administrator execute CREATE ROLE eventlib_application NOLOGIN, then run eventlib init again.';
END
$$;

-- Only these columns: position, tx_id and created_at are for the database to say.
GRANT SELECT ON event_store TO eventlib_application;
GRANT INSERT (event_id, aggregate_id, aggregate_type, event_type, event_data, metadata, version, schema_version)
    ON event_store TO eventlib_application;
GRANT SELECT ON SEQUENCE event_store_position_seq TO eventlib_application;

GRANT SELECT, INSERT, DELETE ON outbox TO eventlib_application;
GRANT SELECT, INSERT, UPDATE, DELETE
    ON order_projections, projection_offsets, aggregate_snapshots, follower_checkpoints TO eventlib_application;
GRANT SELECT ON log_identity, log_epochs, schema_migrations TO eventlib_application;

-- What a partition needs beyond what it has from its parent. A row trigger is cloned to a new partition, but not that it
-- fires always, nor a trigger on TRUNCATE, nor a grant. To be called for every partition that is made later.
CREATE FUNCTION guard_partition(partition regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE OR REPLACE TRIGGER event_store_no_truncate BEFORE TRUNCATE ON %s
                    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', partition);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER event_store_append_only', partition);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER event_store_no_truncate', partition);
    EXECUTE format('GRANT SELECT ON %s TO eventlib_application', partition);
END
$$;
REVOKE EXECUTE ON FUNCTION guard_partition(regclass) FROM PUBLIC;

SELECT guard_partition(inhrelid) FROM pg_inherits WHERE inhparent = 'event_store'::regclass;
