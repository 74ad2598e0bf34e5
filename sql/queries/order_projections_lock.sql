-- Keeps the projector from writing until the end of the transaction; readers go on reading.
LOCK TABLE order_projections IN SHARE ROW EXCLUSIVE MODE
