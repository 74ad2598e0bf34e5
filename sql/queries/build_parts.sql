-- The partitions of the log that a rebuild has loaded, with their rows and events.
SELECT partition, rows, events FROM projection_build_parts WHERE projection = %(projection)s
