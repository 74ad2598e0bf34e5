-- Lets positions go on after the highest one, also where a copy of the log has brought rows but not the sequence.
SELECT setval('event_store_position_seq', GREATEST(last_value, (SELECT max(position) FROM event_store)))
FROM event_store_position_seq
