"""The state of an order, and how each event moves it. Pure, total, no I/O.

`evolve` takes any event in any state: what is in the log has happened, whoever let it in. An event about a line, payment or
refund that the order does not have leaves it as it is; whether it was legal is for `decide` to say, and for an audit.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from msgspec.structs import replace

from eventlib.events import Event
from eventlib.orders import events as e

T = TypeVar("T")


class Status(StrEnum):
    """Where an order stands. Only `PLACED` has an open cart."""

    NEW = "new"
    PLACED = "placed"
    SUBMITTED = "submitted"
    PAID = "paid"
    INVOICED = "invoiced"
    PROCESSING = "processing"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    UNAVAILABLE = "unavailable"
    CANCELLED = "cancelled"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"


class Line(msgspec.Struct, frozen=True, gc=False):
    quantity: int
    unit_price_cents: int


class Coupon(msgspec.Struct, frozen=True, gc=False):
    code: str
    discount_cents: int


class Address(msgspec.Struct, frozen=True, gc=False):
    recipient: str
    street: str
    postal_code: str
    city: str
    region: str
    country: str


class Payment(msgspec.Struct, frozen=True, gc=False):
    method: str
    authorized_cents: int
    captured_cents: int = 0


class Refund(msgspec.Struct, frozen=True, gc=False):
    requested_cents: int
    approved_cents: int = 0


class Order(msgspec.Struct, frozen=True, gc=False):
    """An order after some of its events. Mappings are never changed in place: every event makes a new state."""

    status: Status = Status.NEW
    user_id: UUID | None = None
    currency: str | None = None
    lines: dict[str, Line] = {}
    coupon: Coupon | None = None
    address: Address | None = None
    shipping_cents: int = 0
    adjustment_cents: int = 0
    payments: dict[str, Payment] = {}
    refunds: dict[str, Refund] = {}

    @property
    def item_count(self) -> int:
        """Pieces in the cart, over all lines."""
        return sum(line.quantity for line in self.lines.values())

    @property
    def items_cents(self) -> int:
        """Value of the lines, before discount and shipping."""
        return sum(line.quantity * line.unit_price_cents for line in self.lines.values())

    @property
    def discount_cents(self) -> int:
        """What the coupon takes off, at most the value of the items."""
        return min(self.coupon.discount_cents, self.items_cents) if self.coupon else 0

    @property
    def total_cents(self) -> int:
        """What the customer owes: items less discount, plus shipping, plus adjustments by hand."""
        return self.items_cents - self.discount_cents + self.shipping_cents + self.adjustment_cents

    @property
    def authorized_cents(self) -> int:
        return sum(payment.authorized_cents for payment in self.payments.values())

    @property
    def captured_cents(self) -> int:
        return sum(payment.captured_cents for payment in self.payments.values())

    @property
    def refunded_cents(self) -> int:
        return sum(refund.approved_cents for refund in self.refunds.values())

    @property
    def requested_refund_cents(self) -> int:
        return sum(refund.requested_cents for refund in self.refunds.values())


def evolve(order: Order, event: Event) -> Order:
    """The order after `event`.

    Raises:
        KeyError: `event` is not an order event.
    """
    return _EVOLVE[type(event)](order, event)


def _settle(order: Order) -> Order:
    """A submitted order becomes paid as soon as nothing is due any more."""
    if order.status is Status.SUBMITTED and order.captured_cents >= order.total_cents:
        return replace(order, status=Status.PAID)
    return order


def _with(mapping: dict[str, T], key: str, value: T) -> dict[str, T]:
    """A copy with one entry set: a fourth of the time of `{**mapping, key: value}`, and folds do little else."""
    changed = mapping.copy()
    changed[key] = value
    return changed


def _placed(order: Order, event: e.OrderPlaced) -> Order:
    return replace(order, status=Status.PLACED, user_id=event.user_id, currency=event.currency)


def _item_added(order: Order, event: e.OrderItemAdded) -> Order:
    present = order.lines.get(event.sku)
    quantity = event.quantity + (present.quantity if present else 0)
    return replace(order, lines=_with(order.lines, event.sku, Line(quantity, event.unit_price_cents)))


def _item_removed(order: Order, event: e.OrderItemRemoved) -> Order:
    return replace(order, lines={sku: line for sku, line in order.lines.items() if sku != event.sku})


def _quantity_changed(order: Order, event: e.OrderItemQuantityChanged) -> Order:
    if event.sku not in order.lines:
        return order
    line = Line(event.quantity, order.lines[event.sku].unit_price_cents)
    return replace(order, lines=_with(order.lines, event.sku, line))


def _coupon_applied(order: Order, event: e.OrderCouponApplied) -> Order:
    return replace(order, coupon=Coupon(event.code, event.discount_cents))


def _coupon_removed(order: Order, event: e.OrderCouponRemoved) -> Order:
    return replace(order, coupon=None)


def _address_changed(order: Order, event: e.OrderAddressChanged) -> Order:
    return replace(order, address=Address(**msgspec.structs.asdict(event)))


def _shipping_cost_set(order: Order, event: e.OrderShippingCostSet) -> Order:
    return replace(order, shipping_cents=event.shipping_cents)


def _submitted(order: Order, event: e.OrderSubmitted) -> Order:
    return _settle(replace(order, status=Status.SUBMITTED))


def _balance_adjusted(order: Order, event: e.OrderBalanceAdjusted) -> Order:
    return _settle(replace(order, adjustment_cents=order.adjustment_cents + event.amount_cents))


def _payment_authorized(order: Order, event: e.PaymentAuthorized) -> Order:
    payment = Payment(event.method, event.amount_cents)
    return replace(order, payments=_with(order.payments, event.payment_id, payment))


def _payment_captured(order: Order, event: e.PaymentCaptured) -> Order:
    if event.payment_id not in order.payments:
        return order
    payment = replace(order.payments[event.payment_id], captured_cents=event.amount_cents)
    return _settle(replace(order, payments=_with(order.payments, event.payment_id, payment)))


def _refund_requested(order: Order, event: e.RefundRequested) -> Order:
    return replace(order, refunds=_with(order.refunds, event.refund_id, Refund(event.amount_cents)))


def _refund_approved(order: Order, event: e.RefundApproved) -> Order:
    if event.refund_id not in order.refunds:
        return order
    refund = replace(order.refunds[event.refund_id], approved_cents=event.amount_cents)
    order = replace(order, refunds=_with(order.refunds, event.refund_id, refund))
    if order.status in (Status.CANCELLED, Status.UNAVAILABLE):
        return order
    whole = order.refunded_cents >= order.captured_cents
    return replace(order, status=Status.REFUNDED if whole else Status.PARTLY_REFUNDED)


def _becomes(status: Status) -> Callable[[Order, Event], Order]:
    return lambda order, event: replace(order, status=status)


_EVOLVE: dict[type[Event], Callable[[Order, Any], Order]] = {
    e.OrderPlaced: _placed,
    e.OrderItemAdded: _item_added,
    e.OrderItemRemoved: _item_removed,
    e.OrderItemQuantityChanged: _quantity_changed,
    e.OrderCouponApplied: _coupon_applied,
    e.OrderCouponRemoved: _coupon_removed,
    e.OrderAddressChanged: _address_changed,
    e.OrderShippingCostSet: _shipping_cost_set,
    e.OrderSubmitted: _submitted,
    e.OrderBalanceAdjusted: _balance_adjusted,
    e.PaymentAuthorized: _payment_authorized,
    e.PaymentDeclined: lambda order, event: order,  # a fact for the auditor; nothing about the order changes
    e.PaymentCaptured: _payment_captured,
    e.OrderInvoiced: _becomes(Status.INVOICED),
    e.OrderFulfilmentStarted: _becomes(Status.PROCESSING),
    e.OrderMarkedUnavailable: _becomes(Status.UNAVAILABLE),
    e.OrderShipped: _becomes(Status.SHIPPED),
    e.OrderDelivered: _becomes(Status.DELIVERED),
    e.OrderCancelled: _becomes(Status.CANCELLED),
    e.RefundRequested: _refund_requested,
    e.RefundApproved: _refund_approved,
}
