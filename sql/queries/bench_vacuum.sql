-- Does at once what autovacuum does within minutes: statistics, and pages known to be visible to all.
VACUUM (ANALYZE)
