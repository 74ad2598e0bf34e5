-- How many shards a relay still publishes.
SELECT count(*) FROM relay_shards WHERE expires_at > clock_timestamp()
