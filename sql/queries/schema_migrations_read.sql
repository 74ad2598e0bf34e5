-- The applied migrations with the checksums that their files had then.
SELECT number, sha256 FROM schema_migrations ORDER BY number
