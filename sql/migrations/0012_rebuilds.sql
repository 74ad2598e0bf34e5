-- A rebuild fills a table beside the one that readers see, and changes the two in one transaction. The table being filled and the
-- one that was replaced are projections too, called <name>_new and <name>_old.

-- Raised whenever a projection's table is changed for another one, so that a projector notices.
ALTER TABLE projections ADD COLUMN generation integer NOT NULL DEFAULT 1;

-- A rebuild that is under way: what it needs to go on after it was killed.
CREATE TABLE projection_builds (
    projection varchar(128) PRIMARY KEY,
    version    integer      NOT NULL,
    checkpoint text         NOT NULL, -- of a follower: everything before it is found by loading, everything after by catching up
    indexes    text[]       NOT NULL, -- statements that make the indexes and constraints, which come last
    loaded     boolean      NOT NULL DEFAULT false,
    started_at timestamptz  NOT NULL DEFAULT clock_timestamp()
);

-- Partitions of the log that a rebuild has loaded; written with their rows.
CREATE TABLE projection_build_parts (
    projection varchar(128) NOT NULL REFERENCES projection_builds ON DELETE CASCADE,
    partition  varchar(128) NOT NULL,
    rows       bigint       NOT NULL DEFAULT 0,
    events     bigint       NOT NULL DEFAULT 0,
    PRIMARY KEY (projection, partition)
);

-- What was replaced: how far the projection had come by then, from where it goes on after a rollback.
CREATE TABLE projection_predecessors (
    projection  varchar(128) PRIMARY KEY,
    offsets     json         NOT NULL,
    replaced_at timestamptz  NOT NULL DEFAULT clock_timestamp()
);

GRANT SELECT ON projection_builds, projection_build_parts, projection_predecessors TO eventlib_application;

-- A time as the library's encoder writes it (RFC 3339, UTC): without a fraction when there is none.
CREATE FUNCTION rfc3339(at timestamptz) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN at IS NOT NULL
            THEN to_char(at AT TIME ZONE 'UTC', CASE WHEN at = date_trunc('second', at)
                                                     THEN 'YYYY-MM-DD"T"HH24:MI:SS"Z"' ELSE 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"' END) END;
