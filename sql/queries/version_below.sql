-- The last version of an aggregate up to a given one; no row if there is none.
SELECT version FROM event_store
WHERE aggregate_id = %(aggregate_id)s AND version <= %(version)s
ORDER BY version DESC
LIMIT 1
