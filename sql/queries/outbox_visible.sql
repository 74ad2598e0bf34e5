-- Whether rows are left of those that were committed by a moment.
SELECT EXISTS (SELECT FROM outbox WHERE pg_visible_in_snapshot(tx_id, %(snapshot)s::pg_snapshot))
