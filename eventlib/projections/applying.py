"""Applying events to a projection's table: each once, in order, and what cannot be applied apart."""

from __future__ import annotations

import itertools
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

import msgspec
import psycopg

from eventlib.aggregate import Aggregate
from eventlib.errors import EventlibError, ProjectionError
from eventlib.events import Event, Recorded
from eventlib.projection import Projection, Row, S
from eventlib.projections.parking import Poison, park
from eventlib.projections.rows import REFUSALS, decoded_state, write_rows
from eventlib.projections.tables import read_gate
from eventlib.store.event_store import Store

log = logging.getLogger(__name__)


class Incoming(Protocol):
    """An event on its way into a projection, from Kafka or from the log."""

    @property
    def aggregate_id(self) -> UUID: ...
    @property
    def version(self) -> int: ...
    @property
    def place(self) -> str: ...
    def recorded(self, aggregate: Aggregate[Any, Any]) -> list[Recorded[Event]]: ...


I = TypeVar("I", bound=Incoming)  # noqa: E741


@dataclass(frozen=True)
class Applied(Generic[I]):
    """What came of some events.

    Attributes:
        visible: those that were news, and that readers see once the transaction commits.
        late: what was missing before some of these and came from the log: when it was recorded, by the event that it was
            missing before.
        poison: those that cannot be taken; their aggregates are parked.
        generation: of the table; another one than before means another table.
    """

    visible: list[I]
    late: list[tuple[I, datetime]]
    poison: list[Poison]
    generation: int


@dataclass
class _Folded(Generic[S, I]):
    """The state of an aggregate, the version that it is of, and what came from the log on the way there."""

    version: int
    state: S
    late: list[tuple[I, datetime]] = field(default_factory=list)


@dataclass(frozen=True)
class _Candidate:
    """A row to be written, and what to say if the table refuses it."""

    row: Row
    if_refused: Poison


class RowRefused(Exception):
    """The table refuses a row, and the transaction is over."""


class _CannotTake(Exception):
    """An event cannot be taken; what was folded before it can be kept."""

    def __init__(self, poison: Poison) -> None:
        super().__init__(poison.error)
        self.poison = poison


def apply_events(
    store: Store, projection: Projection[Any], events: Iterable[I], *, savepoints: bool = True
) -> Applied[I]:
    """Fold events and write the rows; to be called in a transaction.

    Behind the version gate a known version is a duplicate, the next is folded, and what is missing before a later one is
    read from the log. An event that cannot be taken parks its aggregate, and nobody else.

    Args:
        events: of each aggregate in order, perhaps repeated, perhaps with gaps.
        savepoints: whether to find which row the table refuses, and to go on without it. That takes two more statements.

    Raises:
        RowRefused: the table refuses a row, and there are no savepoints.
        TableNotReady: the table is another version's.
        ProjectionError: an event is ahead of the log.
    """
    by_aggregate: dict[UUID, list[I]] = defaultdict(list)
    for event in events:
        by_aggregate[event.aggregate_id].append(event)
    application: _Application[Any, I] = _Application(store, projection, savepoints)
    return application.apply(by_aggregate)


class _Application(Generic[S, I]):
    def __init__(self, store: Store, projection: Projection[S], savepoints: bool) -> None:
        self._store = store
        self._connection = store.connection
        self._projection = projection
        self._savepoints = savepoints

    def apply(self, by_aggregate: dict[UUID, list[I]]) -> Applied[I]:
        gate = read_gate(self._connection, self._projection, by_aggregate)
        candidates: list[_Candidate] = []
        poison: dict[UUID, Poison] = {}
        news: dict[UUID, list[I]] = {}
        late: dict[UUID, list[tuple[I, datetime]]] = {}
        for aggregate_id, events in by_aggregate.items():
            if aggregate_id in gate.behind:
                continue
            before, encoded = gate.present.get(aggregate_id, (0, None))
            new = [event for event in events if event.version > before]
            if not new:
                continue
            at_once = Poison(aggregate_id, before + 1, new[0].place, "")
            try:
                folded: _Folded[S, I] = _Folded(before, decoded_state(self._projection, encoded))
            except ProjectionError as error:
                poison[aggregate_id] = msgspec.structs.replace(at_once, error=str(error))
                continue
            try:
                self._fold(aggregate_id, folded, new)
            except _CannotTake as problem:
                poison[aggregate_id] = problem.poison
            if folded.version > before:
                try:
                    row = self._projection.row_of(aggregate_id, folded.state, folded.version)
                except Exception as error:
                    reason = f"its state at version {folded.version} does not become a row: {error!r}"
                    poison[aggregate_id] = msgspec.structs.replace(at_once, error=reason)
                else:
                    candidates.append(_Candidate(row, at_once))
                    by_version = {event.version: event for event in new if event.version <= folded.version}
                    news[aggregate_id], late[aggregate_id] = list(by_version.values()), folded.late
        refused = {one.aggregate_id: one for one in self._write(candidates)}
        found = list({**poison, **refused}.values())
        park(self._connection, self._projection.name, found)
        written = news.keys() - refused.keys()
        return Applied(
            [event for aggregate_id in written for event in news[aggregate_id]],
            [one for aggregate_id in written for one in late[aggregate_id]],
            found,
            gate.generation,
        )

    def _write(self, candidates: Sequence[_Candidate]) -> list[Poison]:
        """Write all rows in one statement; when the table refuses one, each by itself, to find which."""
        try:
            with self._connection.transaction() if self._savepoints else nullcontext():
                write_rows(self._connection, self._projection, [one.row for one in candidates])
            return []
        except (*REFUSALS, TypeError, ValueError) as error:
            if not self._savepoints:
                raise RowRefused from error
            if len(candidates) == 1:
                return [
                    msgspec.structs.replace(one.if_refused, error=f"the table refuses its row: {str(error).strip()}")
                    for one in candidates
                ]
            return [problem for one in candidates for problem in self._write([one])]

    def _fold(self, aggregate_id: UUID, folded: _Folded[S, I], events: Sequence[I]) -> None:
        """Apply the version gate: a version that is known is a duplicate, the next is folded, a gap is read from the log."""
        for event in events:
            if event.version <= folded.version:
                continue
            try:
                if event.version > folded.version + 1:
                    self._catch_up(aggregate_id, folded, event)
                in_order = event.version == folded.version + 1
                if in_order:
                    self._take(folded, event.recorded(self._projection.aggregate))
            except psycopg.Error:
                raise
            except Exception as error:  # whatever the fold raises: it is this aggregate's trouble, and nobody else's
                known = isinstance(error, EventlibError)
                reason = str(error) if known else f"it cannot be folded: {error!r}"
                raise _CannotTake(Poison(aggregate_id, folded.version + 1, event.place, reason)) from error
            if not in_order:
                if self._store.version(aggregate_id) >= event.version:
                    reason = f"the log has no version {folded.version + 1} of it, and has later ones"
                    raise _CannotTake(Poison(aggregate_id, folded.version + 1, event.place, reason))
                raise ProjectionError(
                    f"{self._projection.name}: {event.place} has version {event.version} of {aggregate_id}, and the log has "
                    f"nothing after version {folded.version}: the database was set back to an earlier state"
                )

    def _take(self, folded: _Folded[S, I], parts: Sequence[Recorded[Event]]) -> None:
        """Fold a stored event; one that stands for several moves the version only with all of them."""
        state = folded.state
        for recorded in parts:
            state = self._projection.apply(state, recorded)
        folded.state, folded.version = state, parts[-1].version

    def _catch_up(self, aggregate_id: UUID, folded: _Folded[S, I], event: I) -> None:
        """Fold what the log has before an event that is not the next one."""
        after, until = folded.version, event.version - 1
        log.warning(
            "%s: versions %d to %d of %s come from the log", self._projection.name, after + 1, until, aggregate_id
        )
        missing = self._store.read(self._projection.aggregate, aggregate_id, after=after, until=until)
        for _, parts in itertools.groupby(missing, key=lambda recorded: recorded.version):
            self._take(folded, stored := list(parts))
            folded.late.append((event, stored[0].recorded_at))
