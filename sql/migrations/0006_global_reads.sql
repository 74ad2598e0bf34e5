-- What a reader of the whole log needs: pages in order of position, and to know where numbers of transactions begin anew.
CREATE INDEX event_store_position ON event_store (position);

-- The cluster and timeline that numbers of transactions belong to: a restored dump lives in another, a restored backup
-- on another timeline.
CREATE FUNCTION log_cluster() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT system_identifier || '/' ||
           CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END
    FROM pg_control_system()
$$;

-- One row for each cluster that the log has lived in. Positions up to after_position were written before it came there.
CREATE TABLE log_epochs (
    epoch          integer     PRIMARY KEY,
    cluster        varchar(64) NOT NULL,
    after_position bigint      NOT NULL,
    began_at       timestamptz NOT NULL DEFAULT now()
);
INSERT INTO log_epochs (epoch, cluster, after_position) VALUES (1, log_cluster(), 0);

-- How far each follower of the log has come; written in the transaction that holds the effect of what it has read.
CREATE TABLE follower_checkpoints (
    follower   varchar(128) PRIMARY KEY,
    checkpoint jsonb        NOT NULL,
    updated_at timestamptz  NOT NULL
);
