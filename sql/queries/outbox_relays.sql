-- The relays that are at work, and those of the last day that had something to complain of.
SELECT relay, place, alive_until > clock_timestamp(), published, last_error, last_error_at
FROM relays
WHERE alive_until > clock_timestamp() OR last_error_at > clock_timestamp() - interval '1 day'
ORDER BY place
