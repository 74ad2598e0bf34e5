"""What an order answers to a command: the events that follow from it, or a `DomainError` that says why not. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import asdict

from eventlib.errors import DomainError
from eventlib.events import Event
from eventlib.orders import commands as c
from eventlib.orders import events as e
from eventlib.orders.order import Order, Status

MAX_TOTAL_CENTS = 10**15
"""Far above any order and far below what a bigint holds."""

MAX_PIECES = 10**9
"""Of all items together; the read model counts them in an integer."""

_CART = (Status.PLACED,)
_BEFORE_SHIPPING = (Status.PLACED, Status.SUBMITTED, Status.PAID, Status.INVOICED, Status.PROCESSING)
_READY_TO_SHIP = (Status.PAID, Status.INVOICED, Status.PROCESSING)
_REFUNDABLE = (Status.DELIVERED, Status.PARTLY_REFUNDED, Status.CANCELLED, Status.UNAVAILABLE)


def decide(order: Order, command: c.Command) -> Sequence[Event]:
    """The events that follow from `command`; none when it asks for what already is.

    Raises:
        DomainError: the command is illegal in the order's present state.
        KeyError: `command` is not an order command.
    """
    return _DECIDE[type(command)](order, command)


def _require(order: Order, allowed: Sequence[Status], what: str) -> None:
    if order.status not in allowed:
        raise DomainError(f"{what}: the order is {order.status}, and would have to be {' or '.join(allowed)}")


def _within_limits(order: Order, added: int, unit_price_cents: int) -> None:
    if order.items_cents + added * unit_price_cents > MAX_TOTAL_CENTS:
        raise DomainError(f"the items would be worth more than {MAX_TOTAL_CENTS} minor units")
    if order.item_count + added > MAX_PIECES:
        raise DomainError(f"the cart would hold more than {MAX_PIECES} pieces")


def _place(order: Order, command: c.PlaceOrder) -> Sequence[Event]:
    if order.status is not Status.NEW:
        raise DomainError(f"the order is placed already; it is {order.status}")
    return [e.OrderPlaced(command.user_id, command.currency)]


def _add_item(order: Order, command: c.AddItem) -> Sequence[Event]:
    _require(order, _CART, f"{command.sku} cannot be added")
    present = order.lines.get(command.sku)
    if present and present.unit_price_cents != command.unit_price_cents:
        raise DomainError(
            f"{command.sku} is in the cart at {present.unit_price_cents} a piece and cannot be added at "
            f"{command.unit_price_cents}: remove it first"
        )
    _within_limits(order, command.quantity, command.unit_price_cents)
    return [e.OrderItemAdded(command.sku, command.quantity, command.unit_price_cents, command.added_by)]


def _in_cart(order: Order, sku: str) -> None:
    if sku not in order.lines:
        raise DomainError(f"{sku} is not in the cart")


def _remove_item(order: Order, command: c.RemoveItem) -> Sequence[Event]:
    _require(order, _CART, f"{command.sku} cannot be removed")
    _in_cart(order, command.sku)
    return [e.OrderItemRemoved(command.sku, command.removed_by)]


def _change_quantity(order: Order, command: c.ChangeQuantity) -> Sequence[Event]:
    _require(order, _CART, f"the quantity of {command.sku} cannot be changed")
    _in_cart(order, command.sku)
    line = order.lines[command.sku]
    if line.quantity == command.quantity:
        return []
    _within_limits(order, command.quantity - line.quantity, line.unit_price_cents)
    return [e.OrderItemQuantityChanged(command.sku, command.quantity, command.changed_by)]


def _apply_coupon(order: Order, command: c.ApplyCoupon) -> Sequence[Event]:
    _require(order, _CART, f"coupon {command.code} cannot be applied")
    if order.coupon and order.coupon.code == command.code:
        raise DomainError(f"coupon {command.code} is applied already")
    return [e.OrderCouponApplied(command.code, command.discount_cents)]


def _remove_coupon(order: Order, command: c.RemoveCoupon) -> Sequence[Event]:
    _require(order, _CART, "the coupon cannot be removed")
    if order.coupon is None:
        raise DomainError("the order has no coupon")
    return [e.OrderCouponRemoved(order.coupon.code)]


def _change_address(order: Order, command: c.ChangeAddress) -> Sequence[Event]:
    _require(order, _BEFORE_SHIPPING, "the address cannot be changed")
    if order.address and asdict(order.address) == asdict(command):
        return []
    return [e.OrderAddressChanged(**asdict(command))]


def _set_shipping_cost(order: Order, command: c.SetShippingCost) -> Sequence[Event]:
    _require(order, _CART, "the shipping cost cannot be set")
    if order.shipping_cents == command.shipping_cents:
        return []
    return [e.OrderShippingCostSet(command.shipping_cents)]


def _submit(order: Order, command: c.SubmitOrder) -> Sequence[Event]:
    _require(order, _CART, "the order cannot be submitted")
    if not order.lines:
        raise DomainError("an empty cart cannot be submitted")
    return [e.OrderSubmitted(order.total_cents)]


def _adjust_balance(order: Order, command: c.AdjustBalance) -> Sequence[Event]:
    _require(order, (Status.SUBMITTED,), "the balance cannot be adjusted")
    if order.total_cents + command.amount_cents < order.authorized_cents:
        raise DomainError(
            f"an adjustment by {command.amount_cents} would leave less to pay than the {order.authorized_cents} "
            "that are authorised"
        )
    return [e.OrderBalanceAdjusted(command.amount_cents)] if command.amount_cents else []


def _authorize_payment(order: Order, command: c.AuthorizePayment) -> Sequence[Event]:
    _require(order, (Status.SUBMITTED,), f"payment {command.payment_id} cannot be authorised")
    if command.payment_id in order.payments:
        raise DomainError(f"payment {command.payment_id} is authorised already")
    due = order.total_cents - order.authorized_cents
    if command.amount_cents > due:
        raise DomainError(f"payment {command.payment_id} of {command.amount_cents} is more than the {due} still due")
    return [e.PaymentAuthorized(command.payment_id, command.method, command.amount_cents)]


def _decline_payment(order: Order, command: c.DeclinePayment) -> Sequence[Event]:
    _require(order, (Status.SUBMITTED,), f"payment {command.payment_id} cannot be declined")
    if command.payment_id in order.payments:
        raise DomainError(f"payment {command.payment_id} is authorised already")
    return [e.PaymentDeclined(command.payment_id, command.method, command.amount_cents)]


def _capture_payment(order: Order, command: c.CapturePayment) -> Sequence[Event]:
    _require(order, (Status.SUBMITTED,), f"payment {command.payment_id} cannot be captured")
    payment = order.payments.get(command.payment_id)
    if payment is None:
        raise DomainError(f"payment {command.payment_id} was never authorised")
    if payment.captured_cents:
        raise DomainError(f"payment {command.payment_id} is captured already")
    return [e.PaymentCaptured(command.payment_id, payment.authorized_cents)]


def _invoice(order: Order, command: c.InvoiceOrder) -> Sequence[Event]:
    _require(order, (Status.PAID,), "the order cannot be invoiced")
    return [e.OrderInvoiced(command.invoice_number)]


def _start_fulfilment(order: Order, command: c.StartFulfilment) -> Sequence[Event]:
    _require(order, (Status.PAID, Status.INVOICED), "fulfilment cannot start")
    return [e.OrderFulfilmentStarted()]


def _mark_unavailable(order: Order, command: c.MarkUnavailable) -> Sequence[Event]:
    _require(order, _BEFORE_SHIPPING, "the order cannot be marked unavailable")
    return [e.OrderMarkedUnavailable()]


def _ship(order: Order, command: c.ShipOrder) -> Sequence[Event]:
    _require(order, _READY_TO_SHIP, "the order cannot be shipped")
    return [e.OrderShipped(command.carrier, command.tracking_number)]


def _deliver(order: Order, command: c.DeliverOrder) -> Sequence[Event]:
    _require(order, (Status.SHIPPED,), "the order cannot be delivered")
    return [e.OrderDelivered()]


def _cancel(order: Order, command: c.CancelOrder) -> Sequence[Event]:
    _require(order, (*_BEFORE_SHIPPING, Status.SHIPPED), "the order cannot be cancelled")
    return [e.OrderCancelled(command.cancelled_by)]


def _request_refund(order: Order, command: c.RequestRefund) -> Sequence[Event]:
    _require(order, _REFUNDABLE, f"refund {command.refund_id} cannot be requested")
    if command.refund_id in order.refunds:
        raise DomainError(f"refund {command.refund_id} is requested already")
    left = order.captured_cents - order.requested_refund_cents
    if not 0 < command.amount_cents <= left:
        raise DomainError(f"refund {command.refund_id} of {command.amount_cents} is not between 1 and the {left} left")
    return [e.RefundRequested(command.refund_id, command.amount_cents)]


def _approve_refund(order: Order, command: c.ApproveRefund) -> Sequence[Event]:
    refund = order.refunds.get(command.refund_id)
    if refund is None:
        raise DomainError(f"refund {command.refund_id} was never requested")
    if refund.approved_cents:
        raise DomainError(f"refund {command.refund_id} is approved already")
    return [e.RefundApproved(command.refund_id, refund.requested_cents)]


_DECIDE: dict[type[c.Command], Callable[[Order, Any], Sequence[Event]]] = {
    c.PlaceOrder: _place,
    c.AddItem: _add_item,
    c.RemoveItem: _remove_item,
    c.ChangeQuantity: _change_quantity,
    c.ApplyCoupon: _apply_coupon,
    c.RemoveCoupon: _remove_coupon,
    c.ChangeAddress: _change_address,
    c.SetShippingCost: _set_shipping_cost,
    c.SubmitOrder: _submit,
    c.AdjustBalance: _adjust_balance,
    c.AuthorizePayment: _authorize_payment,
    c.DeclinePayment: _decline_payment,
    c.CapturePayment: _capture_payment,
    c.InvoiceOrder: _invoice,
    c.StartFulfilment: _start_fulfilment,
    c.MarkUnavailable: _mark_unavailable,
    c.ShipOrder: _ship,
    c.DeliverOrder: _deliver,
    c.CancelOrder: _cancel,
    c.RequestRefund: _request_refund,
    c.ApproveRefund: _approve_refund,
}
