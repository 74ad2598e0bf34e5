"""What benchmarks write and read: orders as the simulation tells them, and the events of one command."""

from __future__ import annotations

import random
from collections.abc import Sequence
from uuid import UUID, uuid4, uuid5

from eventlib.events import Event, Metadata
from eventlib.orders import ORDER
from eventlib.orders.events import OrderItemAdded
from eventlib.orders.simulation.hot_order import MIN_EVENTS, tell_hot_order
from eventlib.orders.simulation.simulate import DEFAULT_EPOCH, NAMESPACE
from eventlib.store.bulk_load import Stream, bulk_load
from eventlib.store.connection import Connection
from eventlib.store.queries import query

History = Sequence[tuple[Event, Metadata]]
"""An order's events in order, each with its metadata."""

SHORTEST = MIN_EVENTS
"""Events of the shortest order that `long_history` can tell."""


def long_history(events: int, seed: int = 1) -> History:
    """A company's shared cart with that many events, the same for the same arguments; its state stays small.

    Args:
        events: at least `SHORTEST`.

    Raises:
        ValueError: fewer are asked for.
    """
    key = f"bench seed {seed} order of {events} events"
    return tell_hot_order(uuid5(NAMESPACE, key), random.Random(key), DEFAULT_EPOCH, events).recorded


def write_histories(connection: Connection, histories: Sequence[History]) -> list[UUID]:
    """Load histories, each as a new order, and none of them into the outbox; the ids of the orders.

    An empty history gives the id of an order that is not there.
    """
    order_ids = [uuid4() for _ in histories]
    bulk_load(
        connection,
        ORDER,
        (Stream(order_id, 0, *zip(*history)) for order_id, history in zip(order_ids, histories) if history),
        publish=False,
    )
    return order_ids


def settle(connection: Connection) -> None:
    """Bring statistics and visibility up to date after a load, as autovacuum would within minutes."""
    connection.execute(query("bench_vacuum"))


def item_added() -> Event:
    """A typical event."""
    return OrderItemAdded("WIDGET-42", 2, 1499, "customer 7f3c")


def command_metadata() -> Metadata:
    """Of a new command."""
    command_id = uuid4()
    return Metadata(command_id=command_id, correlation_id=command_id, actor="customer 7f3c", device="iOS 17.4")
