"""Filling a log with orders of a mix, over and over, each time under another id."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from uuid import uuid4

from eventlib.bench.order_workload import History
from eventlib.orders import ORDER
from eventlib.store.bulk_load import Stream, bulk_load
from eventlib.store.connection import Connection

LOADED_AT_ONCE = 50_000
"""Events in a transaction."""


def streams(histories: Sequence[History], events: int) -> Iterator[Stream]:
    """New orders with these histories in turn, with exactly that many events in all; the last order may be cut short.

    Args:
        histories: at least one of them not empty.
    """
    left = events
    for history in itertools.cycle(histories):
        if left <= 0:
            return
        if cut := history[:left]:
            recorded, metadata = zip(*cut)
            yield Stream(uuid4(), 0, recorded, metadata)
        left -= len(cut)


def fill(
    connection: Connection,
    histories: Sequence[History],
    events: int,
    advance: Callable[[int], None] = lambda events: None,
) -> None:
    """Load that many events, and none of them into the outbox.

    Args:
        advance: told the number of events loaded since the last call.
    """
    for first in range(0, events, LOADED_AT_ONCE):
        number = min(LOADED_AT_ONCE, events - first)
        advance(bulk_load(connection, ORDER, streams(histories, number), publish=False))
