"""Aggregates whose rows wait in the outbox although Kafka is there: one was refused, or somebody has parked them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from eventlib.store.connection import Connection
from eventlib.store.queries import query

MAX_ATTEMPTS = 8
"""After so many refusals in a row, some two minutes, an aggregate is parked."""


def hold(connection: Connection, aggregate_id: UUID, reason: str) -> tuple[int, datetime | None]:
    """Hold an aggregate back after a refusal: for 1 s, 2 s, 4 s and so on, and after `MAX_ATTEMPTS` for good.

    Returns:
        How often it was refused by now, and when it is tried again; None for not by itself.
    """
    parameters = {"aggregate_id": aggregate_id, "reason": reason, "attempts": MAX_ATTEMPTS}
    attempts, retry_at = connection.execute(query("outbox_hold"), parameters).fetchall()[0]
    return attempts, retry_at


def park(connection: Connection, aggregate_id: UUID, reason: str) -> None:
    """Hold an aggregate back until it is let go. What is on its way to Kafka at this moment still gets there."""
    connection.execute(query("outbox_park"), {"aggregate_id": aggregate_id, "reason": reason})


def retry(connection: Connection, aggregate_id: UUID | None = None) -> list[UUID]:
    """Have a held aggregate, or all of them, tried once more now; those that fail again wait on as they would have."""
    return _release(connection, aggregate_id, anew=False)


def unpark(connection: Connection, aggregate_id: UUID | None = None) -> list[UUID]:
    """Let a held aggregate, or all of them, go: they are tried now, and as patiently as the first time."""
    return _release(connection, aggregate_id, anew=True)


def _release(connection: Connection, aggregate_id: UUID | None, anew: bool) -> list[UUID]:
    parameters = {"aggregate_id": aggregate_id, "anew": anew}
    return [row[0] for row in connection.execute(query("outbox_release"), parameters)]
