-- Keeps writers out, and others who would begin the epoch too; waits for those that are at work.
LOCK TABLE event_store IN SHARE ROW EXCLUSIVE MODE
