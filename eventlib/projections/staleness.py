"""How stale a read is: every read of a projection says so."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from eventlib.store.connection import Connection
from eventlib.store.queries import query


@dataclass(frozen=True)
class Staleness:
    """What a read at some version of an aggregate does not show yet.

    Attributes:
        behind_events: events in the log that came after that version.
        waiting_s: for how long, in seconds by the database's clock, the first of them has waited; 0.0 if there are none.
    """

    behind_events: int
    waiting_s: float


def staleness(connection: Connection, aggregate_id: UUID, version: int) -> Staleness:
    """How stale a read of `aggregate_id` at `version` is now."""
    rows = connection.execute(query("staleness"), {"aggregate_id": aggregate_id, "version": version}).fetchall()
    return Staleness(*rows[0])
