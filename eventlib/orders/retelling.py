"""An order event told back as the command that must have led to it, so that the rules can be asked again."""

from __future__ import annotations

from msgspec.structs import asdict

from eventlib.events import Event
from eventlib.orders import commands as c
from eventlib.orders import events as e

_COMMANDS: dict[type[Event], type[c.Command]] = {
    e.OrderPlaced: c.PlaceOrder,
    e.OrderItemAdded: c.AddItem,
    e.OrderItemRemoved: c.RemoveItem,
    e.OrderItemQuantityChanged: c.ChangeQuantity,
    e.OrderCouponApplied: c.ApplyCoupon,
    e.OrderCouponRemoved: c.RemoveCoupon,
    e.OrderAddressChanged: c.ChangeAddress,
    e.OrderShippingCostSet: c.SetShippingCost,
    e.OrderSubmitted: c.SubmitOrder,
    e.OrderBalanceAdjusted: c.AdjustBalance,
    e.PaymentAuthorized: c.AuthorizePayment,
    e.PaymentDeclined: c.DeclinePayment,
    e.PaymentCaptured: c.CapturePayment,
    e.OrderInvoiced: c.InvoiceOrder,
    e.OrderFulfilmentStarted: c.StartFulfilment,
    e.OrderMarkedUnavailable: c.MarkUnavailable,
    e.OrderShipped: c.ShipOrder,
    e.OrderDelivered: c.DeliverOrder,
    e.OrderCancelled: c.CancelOrder,
    e.RefundRequested: c.RequestRefund,
    e.RefundApproved: c.ApproveRefund,
}


def command_of(event: Event) -> c.Command:
    """The command that asks for `event`.

    Fields mean the same in both. What an event has and its command lacks, such as the total in `OrderSubmitted`, is what
    the order itself worked out: deciding the command again gives it anew, and shows whether it was right.

    Raises:
        KeyError: `event` is not an order event.
    """
    kind = _COMMANDS[type(event)]
    return kind(**{name: value for name, value in asdict(event).items() if name in kind.__struct_fields__})
