"""PostgreSQL and Apache Kafka that start with no installation: from wheels, in the state folder, for this machine."""
