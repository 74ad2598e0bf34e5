-- Says who publishes.
UPDATE outbox_publisher SET publisher = %(publisher)s::text, slot = %(slot)s::text, changed_at = clock_timestamp()
