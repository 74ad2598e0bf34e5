-- Keeps writers out while a new epoch of the log begins; waits for those that are at work.
LOCK TABLE event_store IN SHARE MODE
