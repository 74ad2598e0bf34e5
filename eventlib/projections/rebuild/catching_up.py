"""Catching up: what was written to the log after a checkpoint, applied to the new table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from eventlib.aggregate import Aggregate
from eventlib.events import Event, Recorded, Stored
from eventlib.projection import Projection
from eventlib.projections.applying import apply_events
from eventlib.projections.rebuild.build import advance
from eventlib.store.event_store import Store
from eventlib.store.global_read import Checkpoint, read_all


@dataclass(frozen=True)
class _Logged:
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


def catch_up_with_log(store: Store, new: Projection[Any], checkpoint: Checkpoint) -> tuple[Checkpoint, int]:
    """Apply what was committed after a checkpoint and before this call, page by page, each in a transaction with the
    checkpoint after it.

    Returns:
        The checkpoint after the last page, and how many events were read.
    """
    events = 0
    for page in read_all(store.connection, checkpoint, aggregate_types=[new.aggregate.name]):
        with store.connection.transaction():
            apply_events(store, new, [_Logged(stored) for stored in page.events])
            advance(store.connection, new, page.checkpoint)
        checkpoint = page.checkpoint
        events += len(page.events)
    return checkpoint, events
