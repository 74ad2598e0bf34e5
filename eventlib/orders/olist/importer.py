"""The import itself: each order's history is appended whole, in one transaction, or not at all."""

from __future__ import annotations

from collections.abc import Callable

from eventlib.errors import ConcurrencyError, DuplicateEvent, InvalidEvent
from eventlib.orders import ORDER
from eventlib.orders.olist.history import History, history_of
from eventlib.orders.olist.refusals import OrderRefused, Refusal
from eventlib.orders.olist.source import OlistSource
from eventlib.orders.olist.source_order import read_order
from eventlib.orders.olist.summary import ImportSummary
from eventlib.orders.olist.tally import Tally
from eventlib.store.event_store import Store


def import_orders(
    store: Store, source: OlistSource, advance: Callable[[int], None] = lambda orders: None
) -> ImportSummary:
    """Append the source's orders to the log; those that are in it already are compared and left alone.

    It can be stopped and started again at any time: ids derive from the source's, and an order is there whole or not at
    all.

    Args:
        store: where to.
        source: from `read_source`.
        advance: called with 1 after each order.

    Returns:
        What was imported, repaired and refused, and whether the sums agree. An order that cannot be imported is counted
        there and raises nothing.
    """
    tally = Tally(source)
    for row in source.orders.values():
        try:
            history = history_of(read_order(source, row))
            if _append(store, history):
                tally.imported(row, history)
            else:
                tally.unchanged(row, history)
        except OrderRefused as why:
            tally.refused(row, why)
        advance(1)
    return tally.summary()


def _append(store: Store, history: History) -> bool:
    """Whether the history was appended; it was not if the log has it already.

    Raises:
        OrderRefused: the log has another history of this order, or an event breaks a limit of the domain.
    """
    try:
        store.append(ORDER, history.order_id, 0, history.events, history.metadata)
    except (ConcurrencyError, DuplicateEvent):
        _compare(store, history)
        return False
    except InvalidEvent as error:
        raise OrderRefused(Refusal.NOT_REPRESENTABLE, f"order {history.order_id.hex}: {error}") from None
    return True


def _compare(store: Store, history: History) -> None:
    recorded = list(store.read(ORDER, history.order_id, until=len(history.events)))
    for version, (event, metadata) in enumerate(zip(history.events, history.metadata), start=1):
        if len(recorded) < version:
            raise OrderRefused(Refusal.DIFFERS, f"order {history.order_id.hex} ends before version {version}")
        present = recorded[version - 1]
        if present.event != event or present.metadata != metadata:
            raise OrderRefused(
                Refusal.DIFFERS,
                f"order {history.order_id.hex}, version {version}: {type(present.event).__name__} in the log, "
                f"{type(event).__name__} in the source",
            )
