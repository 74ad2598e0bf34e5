"""A support agent's view: what went wrong with an order, what was paid and given back, and who did the last thing to it."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from eventlib.events import Event, Recorded
from eventlib.orders import ORDER
from eventlib.orders import events as e
from eventlib.orders.order import Order, Status, evolve
from eventlib.projection import Projection
from eventlib.resources import resource


class Attention(StrEnum):
    """Why somebody should look at an order."""

    REFUND_OPEN = "refund open"
    PAYMENT_DECLINED = "payment declined"
    PAID_AND_CANCELLED = "paid and cancelled"


class SupportOrder(msgspec.Struct, frozen=True, gc=False):
    """An order, and what its state does not tell."""

    order: Order = Order()
    declined_payments: int = 0
    last_event: str = ""
    last_actor: str = ""
    last_event_at: datetime = datetime.min.replace(tzinfo=UTC)

    @property
    def open_refund_cents(self) -> int:
        """Requested back and not given back yet."""
        return sum(max(0, refund.requested_cents - refund.approved_cents) for refund in self.order.refunds.values())

    @property
    def attention(self) -> Attention | None:
        """The most urgent reason to look at it, if there is one."""
        order = self.order
        if self.open_refund_cents:
            return Attention.REFUND_OPEN
        if order.status is Status.SUBMITTED and self.declined_payments:
            return Attention.PAYMENT_DECLINED
        if order.status in (Status.CANCELLED, Status.UNAVAILABLE) and order.captured_cents > order.refunded_cents:
            return Attention.PAID_AND_CANCELLED
        return None


class SupportOrderRow(msgspec.Struct, frozen=True):
    """A row of `support_orders`, without the time of projection."""

    order_id: UUID
    user_id: UUID | None
    status: Status
    attention: Attention | None
    captured_cents: int
    refunded_cents: int
    open_refund_cents: int
    declined_payments: int
    last_event: str
    last_actor: str
    last_event_at: datetime
    last_event_version: int
    snapshot: SupportOrder


def _fold(seen: SupportOrder, recorded: Recorded[Event]) -> SupportOrder:
    return SupportOrder(
        order=evolve(seen.order, recorded.event),
        declined_payments=seen.declined_payments + isinstance(recorded.event, e.PaymentDeclined),
        last_event=type(recorded.event).__name__,
        last_actor=recorded.metadata.actor,
        last_event_at=recorded.occurred_at,
    )


def _row(order_id: UUID, seen: SupportOrder, version: int) -> SupportOrderRow:
    order = seen.order
    return SupportOrderRow(
        order_id=order_id,
        user_id=order.user_id,
        status=order.status,
        attention=seen.attention,
        captured_cents=order.captured_cents,
        refunded_cents=order.refunded_cents,
        open_refund_cents=seen.open_refund_cents,
        declined_payments=seen.declined_payments,
        last_event=seen.last_event,
        last_actor=seen.last_actor,
        last_event_at=seen.last_event_at,
        last_event_version=version,
        snapshot=seen,
    )


SUPPORT_ORDERS: Projection[SupportOrder] = Projection(
    name="support_orders",
    aggregate=ORDER,
    initial=SupportOrder,
    fold=_fold,
    row=_row,
    definition=resource("sql", "projections", "support_orders.sql").read_text(encoding="utf-8"),
    key="order_id",
)
