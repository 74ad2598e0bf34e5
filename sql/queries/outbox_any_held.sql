-- Whether any aggregate is held back.
SELECT EXISTS (SELECT FROM outbox_held)
