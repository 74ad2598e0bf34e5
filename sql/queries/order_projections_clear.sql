-- Empties the read model, for readers at the end of the transaction only.
DELETE FROM order_projections
