-- Keeps a snapshot; one of the same version is replaced, since it may be of an older state class, or damaged.
INSERT INTO aggregate_snapshots (aggregate_id, aggregate_type, version, event_id, position, state_schema, state, sha256)
VALUES (%(aggregate_id)s, %(aggregate_type)s, %(version)s, %(event_id)s, %(position)s, %(state_schema)s, %(state)s,
        %(sha256)s)
ON CONFLICT (aggregate_id, version) DO UPDATE
SET aggregate_type = excluded.aggregate_type, event_id = excluded.event_id, position = excluded.position,
    state_schema = excluded.state_schema,
    state = excluded.state, sha256 = excluded.sha256, created_at = excluded.created_at
