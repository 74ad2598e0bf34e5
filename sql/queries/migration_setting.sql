-- Hands the number of partitions to the migration that creates event_store; forgotten at the end of the transaction.
SELECT set_config('eventlib.store_partitions', %(partitions)s, true)
