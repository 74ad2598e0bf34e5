""" "My orders": what the app lists of a customer's orders."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
from msgspec.structs import replace

from eventlib.events import Event, Recorded
from eventlib.orders import ORDER
from eventlib.orders import events as e
from eventlib.orders.order import Order, Status, evolve
from eventlib.projection import Projection
from eventlib.resources import resource


class MyOrder(msgspec.Struct, frozen=True, gc=False):
    """An order, and when it was placed."""

    order: Order = Order()
    placed_at: datetime | None = None


class MyOrderRow(msgspec.Struct, frozen=True):
    """A row of `my_orders`, without the time of projection. `headline` is what a list shows in one line."""

    order_id: UUID
    user_id: UUID | None
    placed_at: datetime | None
    status: Status
    headline: str
    item_count: int
    total_cents: int
    currency: str | None
    last_event_version: int
    snapshot: MyOrder


def headline(order: Order) -> str:
    """The first article of a cart and how many others there are.

    >>> from eventlib.orders.order import Line
    >>> headline(Order(lines={"WIDGET-42": Line(2, 1499), "LAMP-7": Line(1, 4999)}))
    'WIDGET-42 and 1 more'
    """
    first, others = next(iter(order.lines), ""), len(order.lines) - 1
    return f"{first} and {others} more" if others > 0 else first


def _fold(seen: MyOrder, recorded: Recorded[Event]) -> MyOrder:
    order = evolve(seen.order, recorded.event)
    if isinstance(recorded.event, e.OrderPlaced):
        return MyOrder(order, recorded.occurred_at)
    return replace(seen, order=order)


def _row(order_id: UUID, seen: MyOrder, version: int) -> MyOrderRow:
    order = seen.order
    return MyOrderRow(
        order_id=order_id,
        user_id=order.user_id,
        placed_at=seen.placed_at,
        status=order.status,
        headline=headline(order),
        item_count=order.item_count,
        total_cents=order.total_cents,
        currency=order.currency,
        last_event_version=version,
        snapshot=seen,
    )


MY_ORDERS: Projection[MyOrder] = Projection(
    name="my_orders",
    aggregate=ORDER,
    initial=MyOrder,
    fold=_fold,
    row=_row,
    definition=resource("sql", "projections", "my_orders.sql").read_text(encoding="utf-8"),
    key="order_id",
    version=2,
)
