"""What can be asked of an order. Fields mean what they mean in the event of the same name in `orders.events`."""

from __future__ import annotations

from uuid import UUID

import msgspec

from eventlib.orders.events import Cents, Currency, Quantity, SignedCents, Text


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all order commands."""


class PlaceOrder(Command, frozen=True):
    user_id: UUID
    currency: Currency


class AddItem(Command, frozen=True):
    sku: Text
    quantity: Quantity
    unit_price_cents: Cents
    added_by: Text


class RemoveItem(Command, frozen=True):
    sku: Text
    removed_by: Text


class ChangeQuantity(Command, frozen=True):
    sku: Text
    quantity: Quantity
    changed_by: Text


class ApplyCoupon(Command, frozen=True):
    code: Text
    discount_cents: Cents


class RemoveCoupon(Command, frozen=True):
    pass


class ChangeAddress(Command, frozen=True):
    recipient: Text
    street: Text
    postal_code: Text
    city: Text
    region: str
    country: Text


class SetShippingCost(Command, frozen=True):
    shipping_cents: Cents


class SubmitOrder(Command, frozen=True):
    pass


class AdjustBalance(Command, frozen=True):
    amount_cents: SignedCents


class AuthorizePayment(Command, frozen=True):
    payment_id: Text
    method: Text
    amount_cents: Cents


class DeclinePayment(Command, frozen=True):
    payment_id: Text
    method: Text
    amount_cents: Cents


class CapturePayment(Command, frozen=True):
    """Takes the whole amount that was authorised."""

    payment_id: Text


class InvoiceOrder(Command, frozen=True):
    invoice_number: Text


class StartFulfilment(Command, frozen=True):
    pass


class MarkUnavailable(Command, frozen=True):
    pass


class ShipOrder(Command, frozen=True):
    carrier: Text
    tracking_number: Text


class DeliverOrder(Command, frozen=True):
    pass


class CancelOrder(Command, frozen=True):
    cancelled_by: Text


class RequestRefund(Command, frozen=True):
    refund_id: Text
    amount_cents: Cents


class ApproveRefund(Command, frozen=True):
    refund_id: Text
