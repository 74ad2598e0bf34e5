-- The bytes of the state in an order's newest snapshot.
SELECT octet_length(state::text) FROM aggregate_snapshots WHERE aggregate_id = %(aggregate_id)s ORDER BY version DESC LIMIT 1
