"""Order events in words: what happened, for people who have never seen a column name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eventlib.events import Event
from eventlib.orders import events as e
from eventlib.orders.money import money
from eventlib.orders.order import Order


@dataclass(frozen=True)
class Sentence:
    """An event in words.

    Attributes:
        what: the headline, such as `Item added`.
        detail: the rest, such as `LAMP-7, 1 at 49.99 EUR`; empty when the headline says it all.
        subject: the shortest name for it, such as `LAMP-7 added`, as a label in a plot.
        by: who did it, where the event itself says so; the metadata say who gave the command.
    """

    what: str
    detail: str
    subject: str
    by: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.detail}" if self.detail else self.what


def sentence(event: Event, before: Order) -> Sentence:
    """Say an order event in words.

    Args:
        event: of the order.
        before: the order before it: an event holds what changed, and words also need what was.

    Raises:
        KeyError: `event` is not an order event.
    """
    return _SENTENCES[type(event)](event, before)


def _placed(event: e.OrderPlaced, before: Order) -> Sentence:
    return Sentence("Order placed", f"by user {event.user_id}, in {event.currency}", "placed")


def _item_added(event: e.OrderItemAdded, before: Order) -> Sentence:
    price = money(event.unit_price_cents, before.currency)
    detail = f"{event.sku}, {event.quantity:,} at {price}"
    return Sentence("Item added", detail, f"{_short(event.sku)} added", event.added_by)


def _item_removed(event: e.OrderItemRemoved, before: Order) -> Sentence:
    line = before.lines.get(event.sku)
    what = f"{event.sku}, all {line.quantity:,}" if line and line.quantity > 1 else event.sku
    return Sentence("Item removed", what, f"{_short(event.sku)} removed", event.removed_by)


def _quantity_changed(event: e.OrderItemQuantityChanged, before: Order) -> Sentence:
    line = before.lines.get(event.sku)
    was = f"from {line.quantity:,} to " if line else "to "
    detail = f"{event.sku}, {was}{event.quantity:,}"
    return Sentence("Quantity changed", detail, f"{_short(event.sku)} × {event.quantity:,}", event.changed_by)


def _coupon_applied(event: e.OrderCouponApplied, before: Order) -> Sentence:
    instead = f", instead of {before.coupon.code}" if before.coupon else ""
    detail = f"{event.code}, {money(event.discount_cents, before.currency)} off{instead}"
    return Sentence("Coupon applied", detail, f"coupon {_short(event.code)}")


def _coupon_removed(event: e.OrderCouponRemoved, before: Order) -> Sentence:
    return Sentence("Coupon removed", event.code, f"coupon {_short(event.code)} removed")


def _address_changed(event: e.OrderAddressChanged, before: Order) -> Sentence:
    what = "Address changed" if before.address else "Address given"
    place = f"{event.postal_code} {event.city}"
    region = f", {event.region}" if event.region else ""
    detail = f"{event.recipient}, {event.street}, {place}{region}, {event.country}"
    return Sentence(what, detail, "address changed" if before.address else "address given")


def _shipping_cost_set(event: e.OrderShippingCostSet, before: Order) -> Sentence:
    return Sentence("Shipping cost set", money(event.shipping_cents, before.currency), "shipping cost")


def _submitted(event: e.OrderSubmitted, before: Order) -> Sentence:
    return Sentence("Submitted", f"agreed to pay {money(event.total_cents, before.currency)}", "submitted")


def _balance_adjusted(event: e.OrderBalanceAdjusted, before: Order) -> Sentence:
    direction = "less" if event.amount_cents < 0 else "more"
    detail = f"{money(abs(event.amount_cents), before.currency)} {direction} to pay"
    return Sentence("Balance adjusted", detail, "balance adjusted")


def _payment_authorized(event: e.PaymentAuthorized, before: Order) -> Sentence:
    detail = f"payment {event.payment_id}, {money(event.amount_cents, before.currency)} by {event.method}"
    return Sentence("Payment authorised", detail, f"payment {_short(event.payment_id)} authorised")


def _payment_declined(event: e.PaymentDeclined, before: Order) -> Sentence:
    detail = f"payment {event.payment_id}, {money(event.amount_cents, before.currency)} by {event.method}"
    return Sentence("Payment declined", detail, f"payment {_short(event.payment_id)} declined")


def _payment_captured(event: e.PaymentCaptured, before: Order) -> Sentence:
    payment = before.payments.get(event.payment_id)
    by = f" by {payment.method}" if payment else ""
    detail = f"payment {event.payment_id}, {money(event.amount_cents, before.currency)}{by}"
    return Sentence("Payment captured", detail, f"payment {_short(event.payment_id)} captured")


def _invoiced(event: e.OrderInvoiced, before: Order) -> Sentence:
    return Sentence("Invoiced", f"invoice {event.invoice_number}", "invoiced")


def _fulfilment_started(event: e.OrderFulfilmentStarted, before: Order) -> Sentence:
    return Sentence("Fulfilment started", "", "fulfilment started")


def _marked_unavailable(event: e.OrderMarkedUnavailable, before: Order) -> Sentence:
    return Sentence("Marked unavailable", "the seller cannot deliver", "unavailable")


def _shipped(event: e.OrderShipped, before: Order) -> Sentence:
    return Sentence("Shipped", f"with {event.carrier}, tracking number {event.tracking_number}", "shipped")


def _delivered(event: e.OrderDelivered, before: Order) -> Sentence:
    return Sentence("Delivered", "", "delivered")


def _cancelled(event: e.OrderCancelled, before: Order) -> Sentence:
    return Sentence("Cancelled", f"while {words(before.status)}", "cancelled", event.cancelled_by)


def _refund_requested(event: e.RefundRequested, before: Order) -> Sentence:
    detail = f"refund {event.refund_id}, {money(event.amount_cents, before.currency)}"
    return Sentence("Refund requested", detail, f"refund {_short(event.refund_id)} requested")


def _refund_approved(event: e.RefundApproved, before: Order) -> Sentence:
    detail = f"refund {event.refund_id}, {money(event.amount_cents, before.currency)}"
    return Sentence("Refund approved", detail, f"refund {_short(event.refund_id)} approved")


def _short(name: str) -> str:
    return name if len(name) <= 14 else f"{name[:9]}…"


def words(name: str) -> str:
    """A status or a field's name as words.

    >>> words("partly_refunded")
    'partly refunded'
    """
    return name.replace("_", " ")


_SENTENCES: dict[type[Event], Callable[[Any, Order], Sentence]] = {
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
    e.PaymentDeclined: _payment_declined,
    e.PaymentCaptured: _payment_captured,
    e.OrderInvoiced: _invoiced,
    e.OrderFulfilmentStarted: _fulfilment_started,
    e.OrderMarkedUnavailable: _marked_unavailable,
    e.OrderShipped: _shipped,
    e.OrderDelivered: _delivered,
    e.OrderCancelled: _cancelled,
    e.RefundRequested: _refund_requested,
    e.RefundApproved: _refund_approved,
}
