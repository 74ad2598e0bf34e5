-- Numbers what is not published yet anew: its numbers are of transactions elsewhere, and here may be still to come.
UPDATE outbox SET tx_id = pg_current_xact_id()
