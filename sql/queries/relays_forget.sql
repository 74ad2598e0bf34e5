-- Forgets relays that ended long ago.
DELETE FROM relays WHERE alive_until < clock_timestamp() - interval '1 day'
