"""Aggregates that a projection has left behind at an event that it cannot take; everybody else goes on.

What follows such an event is not kept apart: it is in the log. Once the fold is mended, the aggregate is brought up to date
from there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import psycopg

from eventlib.codec import storable
from eventlib.errors import EventlibError
from eventlib.projection import Projection, S
from eventlib.projections.rows import REFUSALS, decoded_state, write_rows
from eventlib.projections.tables import read_gate
from eventlib.store.connection import Connection
from eventlib.store.event_store import Store
from eventlib.store.queries import query


class Poison(msgspec.Struct, frozen=True):
    """An event that a projection cannot take: which, where it was found, and why."""

    aggregate_id: UUID
    version: int
    place: str
    error: str


class Parked(msgspec.Struct, frozen=True):
    """An aggregate that a projection has left behind before `version`."""

    projection: str
    aggregate_id: UUID
    version: int
    place: str
    error: str
    attempts: int
    parked_at: datetime


class Replayed(msgspec.Struct, frozen=True):
    """What came of bringing an aggregate up to date.

    Attributes:
        version: of its row then; None when nothing was done, since it was not left behind, or not any more.
        error: why it stays left behind.
    """

    aggregate_id: UUID
    version: int | None
    error: str | None


def park(connection: Connection, projection: str, poison: Sequence[Poison]) -> None:
    """Leave aggregates behind."""
    if poison:
        # What an error says of a message may hold anything.
        sayable = [msgspec.structs.replace(one, error=storable(one.error)) for one in poison]
        parameters = {"projection": projection, "parked": msgspec.json.encode(sayable).decode()}
        connection.execute(query("parked_write"), parameters)


def parked(connection: Connection, projection: str | None = None) -> list[Parked]:
    """What a projection, or any, has left behind, the longest first."""
    return [Parked(*row) for row in connection.execute(query("parked_read"), {"projection": projection})]


def parked_counts(connection: Connection, projections: Sequence[str]) -> dict[str, int]:
    """How many aggregates projections have left behind; those that have left none are not named."""
    return dict(connection.execute(query("parked_counts"), {"projections": list(projections)}).fetchall())


def replay_parked(
    store: Store, projection: Projection[Any], aggregate_ids: Collection[UUID] | None = None
) -> Iterator[Replayed]:
    """Bring what a projection has left behind up to date from the log, each aggregate in a transaction of its own.

    Args:
        aggregate_ids: only these; by default all.

    Raises:
        TableNotReady: another version of the projection has made the table.
    """
    found = {one.aggregate_id: one for one in parked(store.connection, projection.name)}
    for aggregate_id in found if aggregate_ids is None else aggregate_ids:
        entry = found.get(aggregate_id)
        yield Replayed(aggregate_id, None, None) if entry is None else _replay(store, projection, entry)


class _ReplayFailed(Exception):
    """The projection's own code has failed."""


def _replay(store: Store, projection: Projection[Any], entry: Parked) -> Replayed:
    connection, aggregate_id = store.connection, entry.aggregate_id
    with connection.transaction():
        gate = read_gate(connection, projection, [aggregate_id], skip_parked=False)
        before, encoded = gate.present.get(aggregate_id, (0, None))
        try:
            with connection.transaction():
                forgotten = {"projection": projection.name, "aggregate_id": aggregate_id}
                if not connection.execute(query("parked_forget"), forgotten).rowcount:
                    return Replayed(aggregate_id, None, None)
                version = _bring_up_to_date(store, projection, aggregate_id, before, encoded)
        except (EventlibError, *REFUSALS, _ReplayFailed) as error:
            poison = Poison(aggregate_id, entry.version, entry.place, str(error).strip())
            park(connection, projection.name, [poison])
            return Replayed(aggregate_id, before, poison.error)
    return Replayed(aggregate_id, version, None)


def _bring_up_to_date(
    store: Store, projection: Projection[S], aggregate_id: UUID, before: int, encoded: str | None
) -> int:
    """Fold what comes after a version and write the row; the version that it is of then."""
    state, version = decoded_state(projection, encoded), before
    for recorded in store.read(projection.aggregate, aggregate_id, after=version):
        version = recorded.version
        try:
            state = projection.apply(state, recorded)
        except Exception as error:
            raise _ReplayFailed(f"version {version} cannot be folded: {error!r}") from error
    if version > before:
        try:
            write_rows(store.connection, projection, [projection.row_of(aggregate_id, state, version)])
        except psycopg.Error:
            raise
        except Exception as error:
            raise _ReplayFailed(f"its state at version {version} does not become a row: {error!r}") from error
    return version
