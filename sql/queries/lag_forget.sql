-- Forgets how long events took that became visible long ago.
DELETE FROM projection_lag WHERE minute < clock_timestamp() - %(kept)s::interval
