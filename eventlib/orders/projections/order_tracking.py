""" "Where is my order?": the steps of an order, and when each was reached."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec.structs import replace

from eventlib.events import Event, Recorded
from eventlib.orders import ORDER
from eventlib.orders import events as e
from eventlib.projection import Projection
from eventlib.resources import resource


class Step(StrEnum):
    """How far an order has come on its way to the customer."""

    CART = "cart"
    SUBMITTED = "submitted"
    PAID = "paid"
    PACKING = "packing"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


class Tracking(msgspec.Struct, frozen=True, gc=False):
    """An order on its way. Times are when it happened in the world, in UTC."""

    step: Step = Step.CART
    placed_at: datetime | None = None
    submitted_at: datetime | None = None
    paid_at: datetime | None = None
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    ended_at: datetime | None = None
    carrier: str | None = None
    tracking_number: str | None = None


def _fold(tracking: Tracking, recorded: Recorded[Event]) -> Tracking:
    event, at = recorded.event, recorded.occurred_at
    changed: dict[str, Any] = {}
    match event:
        case e.OrderPlaced():
            changed = {"placed_at": at}
        case e.OrderSubmitted():
            changed = {"step": Step.SUBMITTED, "submitted_at": at}
        case e.PaymentCaptured():
            changed = {"paid_at": at}
            if tracking.step is Step.SUBMITTED:
                changed["step"] = Step.PAID
        case e.OrderFulfilmentStarted():
            changed = {"step": Step.PACKING}
        case e.OrderShipped():
            changed = {
                "step": Step.SHIPPED,
                "shipped_at": at,
                "carrier": event.carrier,
                "tracking_number": event.tracking_number,
            }
        case e.OrderDelivered():
            changed = {"step": Step.DELIVERED, "delivered_at": at, "ended_at": at}
        case e.OrderCancelled() | e.OrderMarkedUnavailable():
            changed = {"step": Step.CANCELLED, "ended_at": at}
    return replace(tracking, **changed)


ORDER_TRACKING: Projection[Tracking] = Projection(
    name="order_tracking",
    aggregate=ORDER,
    initial=Tracking,
    fold=_fold,
    events=(
        e.OrderPlaced,
        e.OrderSubmitted,
        e.PaymentCaptured,
        e.OrderFulfilmentStarted,
        e.OrderShipped,
        e.OrderDelivered,
        e.OrderCancelled,
        e.OrderMarkedUnavailable,
    ),
    definition=resource("sql", "projections", "order_tracking.sql").read_text(encoding="utf-8"),
    sql_fold=resource("sql", "projections", "order_tracking_fold.sql").read_text(encoding="utf-8"),
    key="order_id",
)
