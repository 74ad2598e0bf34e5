"""What tests of rebuilds share: orders to be folded, and what the tables hold."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

from eventlib.events import Recorded
from eventlib.orders.order import Order, evolve
from eventlib.orders.projections import ORDER_PROJECTIONS
from eventlib.projection import Projection
from eventlib.projections.reconcile import verify
from eventlib.store.connection import Connection
from eventlib.store.event_store import Store
from tests.orders import CART, execute


def ordered(store: Store, number: int) -> list[UUID]:
    orders = [uuid4() for _ in range(number)]
    for order_id in orders:
        execute(store, order_id, *CART)
    return orders


def holds(store: Store, projection: Projection, orders: int) -> bool:
    """Whether the table is what the log says, all of it, up to date."""
    found = verify(store, projection)
    return (found.aggregates, found.equal, found.behind) == (orders, orders, 0) and not found.orphans


def indexes(connection: Connection, table: str) -> list[tuple[str, str]]:
    return connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s ORDER BY 1", [table]
    ).fetchall()  # type: ignore[return-value]


def with_column(declared: str, otherwise: str) -> str:
    assert declared in ORDER_PROJECTIONS.definition
    return ORDER_PROJECTIONS.definition.replace(declared, otherwise)


def poisoned(projection: Projection, aggregate_id: UUID, at: int) -> Projection:
    def fold(order: Order, recorded: Recorded) -> Order:
        if recorded.aggregate_id == aggregate_id and recorded.version == at:
            raise KeyError("sku")
        return evolve(order, recorded.event)

    return replace(projection, fold=fold, evolve=None)
