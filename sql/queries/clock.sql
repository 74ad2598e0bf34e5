-- The time by the database's clock, which is the one that recorded and projected events carry.
SELECT clock_timestamp()
