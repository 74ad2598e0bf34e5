-- Who publishes: the relays, or change data capture.
SELECT publisher FROM outbox_publisher
