-- Forgets what relays have held back: change data capture, which publishes now, holds nothing back.
DELETE FROM outbox_held
