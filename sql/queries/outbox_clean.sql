-- Deletes the rows that were committed by a moment, as long as change data capture publishes.
DELETE FROM outbox
WHERE pg_visible_in_snapshot(tx_id, %(snapshot)s::pg_snapshot) AND (SELECT publisher FROM outbox_publisher) = 'cdc'
