-- The versions and folded states of some aggregates in a read model.
SELECT {key}, last_event_version, snapshot::text FROM {table} WHERE {key} = ANY(%(keys)s)
