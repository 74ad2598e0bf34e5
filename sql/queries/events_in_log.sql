-- Which of some events the log has, by id, at the version that they are said to have.
SELECT said.event_id
FROM json_to_recordset(%(events)s::json) AS said (event_id uuid, aggregate_id uuid, version integer)
WHERE said.event_id = (
    SELECT event_store.event_id FROM event_store
    WHERE event_store.aggregate_id = said.aggregate_id AND event_store.version = said.version)
