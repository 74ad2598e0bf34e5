"""Old shapes of order events, and what they are today. None of them is ever taken away: the log may hold one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eventlib.upcasting import Context, Document, Upcaster

UNKNOWN = "unknown"


def _cancelled_1(fields: dict[str, Any], context: Context) -> Sequence[Document]:
    """Until version 2 the event did not say who had cancelled; the metadata did: whoever sent the command."""
    return [Document("OrderCancelled", 2, {**fields, "cancelled_by": context.metadata.actor[:500] or UNKNOWN})]


def _checked_out_1(fields: dict[str, Any], context: Context) -> Sequence[Document]:
    """The pilot's checkout set the delivery fee and closed the cart in one event, under other names; they are two today."""
    return [
        Document("OrderShippingCostSet", 1, {"shipping_cents": fields["delivery_fee_cents"]}),
        Document("OrderSubmitted", 1, {"total_cents": fields["grand_total_cents"]}),
    ]


UPCASTERS: tuple[Upcaster, ...] = (
    Upcaster("OrderCancelled", 1, _cancelled_1, example={}),
    Upcaster("OrderCheckedOut", 1, _checked_out_1, example={"delivery_fee_cents": 490, "grand_total_cents": 3488}),
)
