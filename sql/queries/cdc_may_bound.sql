-- Whether this role may bound what the server keeps for slots, and nobody has bounded it yet.
SELECT rolsuper AND current_setting('max_slot_wal_keep_size') = '-1' FROM pg_roles WHERE rolname = current_user
