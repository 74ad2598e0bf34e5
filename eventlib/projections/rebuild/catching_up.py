"""Catching up: what was written to the log after a checkpoint, applied to a table that nobody sees yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from eventlib.aggregate import Aggregate
from eventlib.events import Event, Recorded, Stored
from eventlib.projection import Projection
from eventlib.projections.applying import apply_events
from eventlib.store.event_store import Store
from eventlib.store.global_read import Checkpoint, read_all

FEW_EVENTS = 500
"""So few that readers can wait for them."""

Keep = Callable[[Checkpoint], None]
"""Keeps a checkpoint, in the transaction that has applied what comes before it."""


@dataclass(frozen=True)
class Logged:
    """An event of the log on its way into a projection."""

    stored: Stored

    @property
    def aggregate_id(self) -> UUID:
        return self.stored.aggregate_id

    @property
    def version(self) -> int:
        return self.stored.version

    @property
    def place(self) -> str:
        return f"position {self.stored.position} of the log"

    def recorded(self, aggregate: Aggregate[Any, Any]) -> list[Recorded[Event]]:
        return aggregate.recorded(self.stored)


def catch_up(
    store: Store,
    table: Projection[Any],
    checkpoint: Checkpoint | None,
    keep: Keep,
    told: Callable[[int], None] = lambda events: None,
) -> tuple[Checkpoint, int]:
    """Apply what was written after a checkpoint, until so little is left that readers can wait for it.

    Args:
        told: the number of events, before each round.

    Returns:
        The checkpoint after what was applied, and how many events were read.
    """
    caught_up = 0
    while True:
        told(caught_up)
        checkpoint, events = catch_up_with_log(store, table, checkpoint, keep)
        caught_up += events
        if events <= FEW_EVENTS:
            return checkpoint, caught_up


def catch_up_with_log(
    store: Store, table: Projection[Any], checkpoint: Checkpoint | None, keep: Keep
) -> tuple[Checkpoint, int]:
    """Apply what was committed after a checkpoint and before this call, page by page, each in a transaction with the
    checkpoint after it.

    Args:
        checkpoint: None for the beginning of the log.

    Returns:
        The checkpoint after the last page, and how many events were read.
    """
    events = 0
    for page in read_all(store.connection, checkpoint, aggregate_types=[table.aggregate.name]):
        with store.connection.transaction():
            apply_events(store, table, [Logged(stored) for stored in page.events])
            keep(page.checkpoint)
        checkpoint = page.checkpoint
        events += len(page.events)
    assert checkpoint is not None
    return checkpoint, events
