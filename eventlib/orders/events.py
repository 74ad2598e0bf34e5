"""What can happen to an order. Amounts are integer minor units of the order's currency."""

from __future__ import annotations

from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Meta

from eventlib.events import Event

Text = Annotated[str, Meta(min_length=1, max_length=500)]
Quantity = Annotated[int, Meta(ge=1, le=1_000_000)]
Cents = Annotated[int, Meta(ge=0, le=10**12)]
SignedCents = Annotated[int, Meta(ge=-(10**12), le=10**12)]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$")]


class OrderPlaced(Event, frozen=True):
    user_id: UUID
    currency: Currency


class OrderItemAdded(Event, frozen=True):
    """Adds to the quantity when the sku is in the cart already."""

    sku: Text
    quantity: Quantity
    unit_price_cents: Cents
    added_by: Text


class OrderItemRemoved(Event, frozen=True):
    sku: Text
    removed_by: Text


class OrderItemQuantityChanged(Event, frozen=True):
    """`quantity` is the new one."""

    sku: Text
    quantity: Quantity
    changed_by: Text


class OrderCouponApplied(Event, frozen=True):
    """Replaces an earlier coupon. The discount never exceeds the value of the items."""

    code: Text
    discount_cents: Cents


class OrderCouponRemoved(Event, frozen=True):
    code: Text


class OrderAddressChanged(Event, frozen=True):
    recipient: Text
    street: Text
    postal_code: Text
    city: Text
    region: str
    country: Text


class OrderShippingCostSet(Event, frozen=True):
    shipping_cents: Cents


class OrderSubmitted(Event, frozen=True):
    """The customer agreed to pay `total_cents`; the cart is closed."""

    total_cents: Cents


class OrderBalanceAdjusted(Event, frozen=True):
    """The amount due was changed by hand, up or down; the metadata say why."""

    amount_cents: SignedCents


class PaymentAuthorized(Event, frozen=True):
    payment_id: Text
    method: Text
    amount_cents: Cents


class PaymentDeclined(Event, frozen=True):
    payment_id: Text
    method: Text
    amount_cents: Cents


class PaymentCaptured(Event, frozen=True):
    payment_id: Text
    amount_cents: Cents


class OrderInvoiced(Event, frozen=True):
    invoice_number: Text


class OrderFulfilmentStarted(Event, frozen=True):
    pass


class OrderMarkedUnavailable(Event, frozen=True):
    """The seller cannot deliver."""


class OrderShipped(Event, frozen=True):
    carrier: Text
    tracking_number: Text


class OrderDelivered(Event, frozen=True):
    pass


class OrderCancelled(Event, frozen=True):
    schema_version: ClassVar[int] = 2

    cancelled_by: Text


class RefundRequested(Event, frozen=True):
    refund_id: Text
    amount_cents: Cents


class RefundApproved(Event, frozen=True):
    """The money of an earlier `RefundRequested` goes back."""

    refund_id: Text
    amount_cents: Cents


EVENTS: tuple[type[Event], ...] = (
    OrderPlaced,
    OrderItemAdded,
    OrderItemRemoved,
    OrderItemQuantityChanged,
    OrderCouponApplied,
    OrderCouponRemoved,
    OrderAddressChanged,
    OrderShippingCostSet,
    OrderSubmitted,
    OrderBalanceAdjusted,
    PaymentAuthorized,
    PaymentDeclined,
    PaymentCaptured,
    OrderInvoiced,
    OrderFulfilmentStarted,
    OrderMarkedUnavailable,
    OrderShipped,
    OrderDelivered,
    OrderCancelled,
    RefundRequested,
    RefundApproved,
)
