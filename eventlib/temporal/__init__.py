"""What was known when, and what changed: pure functions over recorded events, for any aggregate."""
