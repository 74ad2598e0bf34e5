"""What a reader of an order's history would want to be pointed to, although no rule of the order forbids it."""

from __future__ import annotations

from collections.abc import Iterable

from eventlib.events import Event, Recorded
from eventlib.orders import events as e


def remarks(events: Iterable[Recorded[Event]]) -> dict[int, str]:
    """A few words for the events that deserve them, by version: refunds that were approved by who requested them."""
    requests: dict[str, Recorded[Event]] = {}
    found = {}
    for recorded in events:
        match recorded.event:
            case e.RefundRequested(refund_id=refund_id):
                requests[refund_id] = recorded
            case e.RefundApproved(refund_id=refund_id) if refund_id in requests:
                request = requests[refund_id]
                if request.metadata.actor == recorded.metadata.actor:
                    found[recorded.version] = f"approved by who requested it (event {request.version:,})"
    return found
