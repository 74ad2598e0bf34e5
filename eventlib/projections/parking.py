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

from eventlib.errors import EventlibError
from eventlib.projection import Projection, S
from eventlib.projections.rows import read_states, write_rows
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
    """What came of bringing an aggregate up to date: its version then, or why it stays left behind."""

    aggregate_id: UUID
    version: int
    error: str | None


def park(connection: Connection, projection: str, poison: Sequence[Poison]) -> None:
    """Leave aggregates behind."""
    if poison:
        parameters = {"projection": projection, "parked": msgspec.json.encode(poison).decode()}
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
    """
    for one in parked(store.connection, projection.name):
        if aggregate_ids is None or one.aggregate_id in aggregate_ids:
            try:
                yield Replayed(one.aggregate_id, _replay(store, projection, one.aggregate_id), None)
            except (EventlibError, psycopg.DataError, psycopg.IntegrityError, _ReplayFailed) as error:
                poison = Poison(one.aggregate_id, one.version, one.place, str(error).strip())
                park(store.connection, projection.name, [poison])
                yield Replayed(one.aggregate_id, one.version - 1, poison.error)


class _ReplayFailed(Exception):
    """The projection's own code has failed."""


def _replay(store: Store, projection: Projection[S], aggregate_id: UUID) -> int:
    connection = store.connection
    with connection.transaction():
        connection.execute(query("parked_forget"), {"projection": projection.name, "aggregate_id": aggregate_id})
        present = read_states(connection, projection, [aggregate_id])
        before, state = present.get(aggregate_id) or (0, projection.initial())
        version = before
        for recorded in store.read(projection.aggregate, aggregate_id, after=version):
            version = recorded.version
            try:
                state = projection.apply(state, recorded)
            except Exception as error:
                raise _ReplayFailed(f"version {version} cannot be folded: {error!r}") from error
        if version > before:
            try:
                write_rows(connection, projection, [projection.row_of(aggregate_id, state, version)])
            except psycopg.Error:
                raise
            except Exception as error:
                raise _ReplayFailed(f"its state at version {version} does not become a row: {error!r}") from error
        return version
