"""The import itself: each order's history gets into the log whole or not at all, many of them in one transaction."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from eventlib.errors import ConcurrencyError, DuplicateEvent, InvalidEvent
from eventlib.orders import ORDER
from eventlib.orders.olist.history import History, history_of
from eventlib.orders.olist.refusals import OrderRefused, Refusal
from eventlib.orders.olist.source import OlistSource
from eventlib.orders.olist.source_order import read_order
from eventlib.orders.olist.summary import ImportSummary
from eventlib.orders.olist.tally import Tally
from eventlib.store.bulk_load import Stream, bulk_load
from eventlib.store.event_store import Store

BATCH = 500
"""Orders in one transaction, as long as all of them are new."""


def import_orders(
    store: Store, source: OlistSource, advance: Callable[[int], None] = lambda orders: None
) -> ImportSummary:
    """Append the source's orders to the log; those that are in it already are compared and left alone.

    It can be stopped and started again at any time: ids derive from the source's, and an order is there whole or not at
    all.

    Args:
        store: where to.
        source: from `read_source`.
        advance: told the number of orders looked at since the last call.

    Returns:
        What was imported, repaired and refused, and whether the sums agree. An order that cannot be imported is counted
        there and raises nothing.
    """
    tally = Tally(source)
    rows = iter(source.orders.values())
    while batch := list(itertools.islice(rows, BATCH)):
        histories = []
        for row in batch:
            try:
                histories.append((row, history_of(read_order(source, row))))
            except OrderRefused as why:
                tally.refused(row, why)
        is_new = _load(store, [history for _, history in histories])
        for row, history in histories:
            try:
                if is_new or _append(store, history):
                    tally.imported(row, history)
                else:
                    tally.unchanged(row, history)
            except OrderRefused as why:
                tally.refused(row, why)
        advance(len(batch))
    return tally.summary()


def _load(store: Store, histories: Sequence[History]) -> bool:
    """Whether all these histories were new to the log, and are in it now; if one was not, none of them was written."""
    streams = (Stream(history.order_id, 0, history.events, history.metadata) for history in histories)
    try:
        bulk_load(store.connection, ORDER, streams, publish=True)
    except (ConcurrencyError, DuplicateEvent, InvalidEvent):
        return False  # one by one it will show which
    return True


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
