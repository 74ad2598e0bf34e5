"""What customers are told of their orders."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from eventlib.events import Event, Recorded
from eventlib.notification import Notice, Notifications, Template
from eventlib.orders import ORDER
from eventlib.orders import events as e
from eventlib.orders.money import money
from eventlib.orders.order import Order

TEMPLATES: dict[type[Event], Template] = {
    e.OrderSubmitted: Template("Thank you for your order", "We have your order {order} of {total}."),
    e.PaymentDeclined: Template(
        "Your payment was declined", "{amount} for your order {order} could not be paid. Please try another way."
    ),
    e.OrderMarkedUnavailable: Template(
        "We cannot deliver", "Something in your order {order} is not available any more."
    ),
    e.OrderShipped: Template(
        "On its way", "{carrier} has your order {order}. Its tracking number is {tracking_number}."
    ),
    e.OrderDelivered: Template("Delivered", "Your order {order} has arrived."),
    e.OrderCancelled: Template("Cancelled", "Your order {order} was cancelled."),
    e.RefundApproved: Template("Your refund", "{amount} for your order {order} are on their way back to you."),
}
"""By event. A template may name the event's fields, `order` (the beginning of its id), and amounts as people read them:
`total` for `total_cents`, `amount` for `amount_cents`."""


def _notices(order: Order, recorded: Recorded[Event]) -> Sequence[Notice]:
    if order.user_id is None:  # nobody has placed it: there is nobody to tell
        return ()
    fields = msgspec.structs.asdict(recorded.event)
    amounts = {
        name.removesuffix("_cents"): money(value, order.currency)
        for name, value in fields.items()
        if name.endswith("_cents")
    }
    short = str(recorded.aggregate_id)[:8]
    return (TEMPLATES[type(recorded.event)].notice(str(order.user_id), **{**fields, **amounts, "order": short}),)


ORDER_NOTIFICATIONS: Notifications[Order] = Notifications(
    name="order_notifications", aggregate=ORDER, events=frozenset(TEMPLATES), notices=_notices
)
