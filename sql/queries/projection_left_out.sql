-- The rows that were set aside and not taken back into their table: of which aggregates they are, and of which versions.
SELECT {key}, set_aside.last_event_version FROM set_aside LEFT JOIN {table} USING ({key}) WHERE {table}.last_event_version IS NULL
