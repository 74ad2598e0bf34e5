-- The newest pushes that the push service has not taken.
SELECT aggregate_id, version, recipient, event_type, state, attempts, error, noted_at,
       extract(epoch FROM clock_timestamp() - noted_at)::double precision
FROM notifications
WHERE state <> 'sent'
ORDER BY noted_at DESC
LIMIT %(limit)s
