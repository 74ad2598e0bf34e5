-- Takes one index from the log of a scratch database, to see what it costs.
DROP INDEX {index}
