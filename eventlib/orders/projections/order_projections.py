"""Every order: one row with its folded state beside the columns that lists are made of."""

from __future__ import annotations

from uuid import UUID

import msgspec

from eventlib.orders import ORDER
from eventlib.orders.order import Order, Status, evolve
from eventlib.projection import Projection
from eventlib.resources import resource


class OrderRow(msgspec.Struct, frozen=True):
    """A row of `order_projections`, without the time of projection."""

    order_id: UUID
    user_id: UUID | None
    status: Status
    total_cents: int
    item_count: int
    last_event_version: int
    snapshot: Order


def _row(order_id: UUID, order: Order, version: int) -> OrderRow:
    return OrderRow(
        order_id=order_id,
        user_id=order.user_id,
        status=order.status,
        total_cents=order.total_cents,
        item_count=order.item_count,
        last_event_version=version,
        snapshot=order,
    )


ORDER_PROJECTIONS: Projection[Order] = Projection(
    name="order_projections",
    aggregate=ORDER,
    initial=Order,
    evolve=evolve,
    row=_row,
    definition=resource("sql", "projections", "order_projections.sql").read_text(encoding="utf-8"),
    key="order_id",
)
