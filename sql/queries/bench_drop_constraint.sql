-- Takes one constraint and its index from the log of a scratch database, to see what they cost.
ALTER TABLE event_store DROP CONSTRAINT {constraint}
