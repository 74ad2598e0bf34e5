-- Has a relay try held aggregates at once, all of them or one; with `anew` as if they had never failed.
UPDATE outbox_held
SET retry_at = clock_timestamp(), attempts = CASE WHEN %(anew)s THEN 0 ELSE attempts END
WHERE %(aggregate_id)s::uuid IS NULL OR aggregate_id = %(aggregate_id)s
RETURNING aggregate_id
