-- Takes rows of a table that has no keys yet.
COPY {table} ({columns}, projected_at) FROM STDIN
