"""The event store: append at an expected version, read a stream, load a state."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.pq import TransactionStatus

from eventlib.aggregate import Aggregate, Row, S
from eventlib.errors import ConcurrencyError, CorruptSnapshot, CorruptStream, DuplicateEvent, InvalidEvent
from eventlib.events import Event, Metadata, Recorded, Stored
from eventlib.store.connection import Connection, connect
from eventlib.store.encoded_events import MAX_VERSION, append_parameters
from eventlib.store.event_ids import event_id
from eventlib.store.metrics import SNAPSHOT_FALLBACKS
from eventlib.store.queries import query
from eventlib.store.snapshots import Loaded, restored

READ_PAGE = 2_000
"""Events that a reader of streams holds at a time."""

LOAD_PAGE = 10_000
"""Events that a load holds at a time; what has fewer after its snapshot takes one round trip."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Appended:
    """What the store assigned to the events of one append.

    Attributes:
        version: of the last event, and thereby of the aggregate.
        positions: of each event in the whole log.
        recorded_at: when the transaction began, in UTC, by the database's clock.
    """

    version: int
    positions: list[int]
    recorded_at: datetime


class Store:
    """The log of events, through one connection. Not to be shared between threads: give each its own."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        # One cursor for all appends and loads: making one for each takes a fifth of what psycopg does for them.
        self._cursor = connection.cursor()

    @classmethod
    @contextmanager
    def open(cls, url: str, application_name: str = "eventlib") -> Iterator[Store]:
        """A store on a connection of its own, closed at the end. Raises what `connect` raises."""
        with connect(url, application_name) as connection:
            yield cls(connection)

    def append(
        self,
        aggregate: Aggregate[S, Any],
        aggregate_id: UUID,
        expected_version: int,
        events: Sequence[Event],
        metadata: Metadata | Sequence[Metadata],
    ) -> Appended:
        """Append events and their outbox rows in one transaction and one round trip.

        Args:
            aggregate: whose events they are.
            aggregate_id: the stream.
            expected_version: the version that the writer has seen; 0 for a new aggregate.
            events: at least one.
            metadata: one for all events, or one for each. An event's id derives from its command's id, so that a command
                that is executed twice is noticed.

        Raises:
            InvalidEvent: refused at the door; nothing was written.
            ConcurrencyError: the aggregate is at another version.
            DuplicateEvent: the same command's events are in the stream already.
        """
        parameters = append_parameters(aggregate, aggregate_id, expected_version, events, metadata)
        try:
            with self._savepoint():
                rows = self._cursor.execute(query("append"), parameters).fetchall()
        except psycopg.errors.UniqueViolation as error:
            if "event_id" in (error.diag.constraint_name or ""):
                raise DuplicateEvent(
                    f"aggregate {aggregate_id} has an event with one of these ids already: {error.diag.message_detail}"
                ) from None
            raise ConcurrencyError(aggregate_id, expected_version, self.version(aggregate_id)) from None
        actual_version, actual_type, position, recorded_at = rows[0]
        if position is None:
            if actual_type not in (None, aggregate.name):
                raise InvalidEvent(
                    f"{aggregate_id} is a stream of aggregate {actual_type}; events of {aggregate.name} do not belong there"
                )
            raise ConcurrencyError(aggregate_id, expected_version, actual_version)
        return Appended(expected_version + len(rows), [row[2] for row in rows], recorded_at)

    def _savepoint(self) -> AbstractContextManager[object]:
        """Within a transaction of the caller's, what must be undone when the append fails; else nothing is needed."""
        idle = self.connection.pgconn.transaction_status == TransactionStatus.IDLE
        return nullcontext() if idle else self.connection.transaction()

    def version(self, aggregate_id: UUID) -> int:
        """The present version of an aggregate, 0 if it has no events."""
        row = self.connection.execute(query("version"), {"aggregate_id": aggregate_id}).fetchone()
        return row[0] if row else 0

    def read(
        self,
        aggregate: Aggregate[S, Any],
        aggregate_id: UUID,
        after: int = 0,
        until: int | None = None,
        *,
        recorded_from: datetime | None = None,
        recorded_before: datetime | None = None,
        kinds: Collection[type[Event]] | None = None,
    ) -> Iterator[Recorded[Event]]:
        """An aggregate's events in today's shape, in order, a page at a time; none when there is no such aggregate.

        Args:
            after: only versions above it.
            until: only versions up to it.
            recorded_from: only what was recorded at this instant or later.
            recorded_before: only what was recorded before this instant.
            kinds: only events of these classes, whatever shape they were written in.

        Raises:
            UnreadableEvent: an event cannot be decoded.
            CorruptStream: a version is missing. Not noticed when only a span of time is asked for: who leaves out events on
                purpose cannot tell.
        """
        event_types = None if kinds is None else [*(kind.__name__ for kind in kinds), *aggregate.upcast_types]
        # What another name was written under may become one of these classes, so holes show in unfiltered streams only.
        whole = kinds is None and recorded_from is None and recorded_before is None
        expected = after
        for stored in self.read_stored(
            aggregate,
            aggregate_id,
            after,
            until,
            recorded_from=recorded_from,
            recorded_before=recorded_before,
            event_types=event_types,
        ):
            expected += 1
            if whole and stored.version != expected:
                raise CorruptStream(
                    f"{aggregate.name} {aggregate_id} has no version {expected}: the next is {stored.version}"
                )
            for recorded in aggregate.recorded(stored):
                if kinds is None or type(recorded.event) in kinds:
                    yield recorded

    def read_stored(
        self,
        aggregate: Aggregate[S, Any],
        aggregate_id: UUID,
        after: int = 0,
        until: int | None = None,
        *,
        recorded_from: datetime | None = None,
        recorded_before: datetime | None = None,
        event_types: Collection[str] | None = None,
    ) -> Iterator[Stored]:
        """An aggregate's events as they are stored, in order, holes and all; see `read`.

        Args:
            event_types: only events that were written under these names.
        """
        parameters = {
            "aggregate_id": aggregate_id,
            "aggregate_type": aggregate.name,
            "after": after,
            "until": MAX_VERSION if until is None else until,
            "recorded_from": recorded_from,
            "recorded_before": recorded_before,
            "event_types": None if event_types is None else list(event_types),
            "limit": READ_PAGE,
        }
        while True:
            rows = self.connection.execute(query("read_stream"), parameters).fetchall()
            yield from itertools.starmap(Stored, rows)
            if len(rows) < READ_PAGE:
                return
            parameters["after"] = rows[-1][7]

    def read_many(
        self, aggregate: Aggregate[S, Any], aggregate_ids: Sequence[UUID]
    ) -> Iterator[tuple[UUID, Iterator[Recorded[Event]]]]:
        """All events of several aggregates, one aggregate after the other in order of id; those without any are left out.

        However long the streams, only a page is held: take an aggregate's events before asking for the next aggregate.

        Raises:
            UnreadableEvent: an event cannot be decoded. The other aggregates can be asked for all the same.
        """
        for aggregate_id, events in self.read_many_stored(aggregate, aggregate_ids):
            yield aggregate_id, (one for stored in events for one in aggregate.recorded(stored))

    def read_many_stored(
        self, aggregate: Aggregate[S, Any], aggregate_ids: Sequence[UUID]
    ) -> Iterator[tuple[UUID, Iterator[Stored]]]:
        """The same as they are stored, holes and all."""
        yield from itertools.groupby(self._stored_of(aggregate, aggregate_ids), key=lambda one: one.aggregate_id)

    def _stored_of(self, aggregate: Aggregate[S, Any], aggregate_ids: Sequence[UUID]) -> Iterator[Stored]:
        parameters = {
            "aggregate_ids": list(aggregate_ids),
            "aggregate_type": aggregate.name,
            "after_id": UUID(int=0),
            "after_version": 0,
            "limit": READ_PAGE,
        }
        while True:
            rows = self.connection.execute(query("read_streams"), parameters).fetchall()
            yield from itertools.starmap(Stored, rows)
            if len(rows) < READ_PAGE:
                return
            parameters |= {"after_id": rows[-1][1], "after_version": rows[-1][7]}

    def aggregate_ids(self, aggregate: Aggregate[S, Any], batch: int = 500) -> Iterator[list[UUID]]:
        """The ids of all aggregates of a type that have events, in order of id, in batches."""
        parameters = {"aggregate_type": aggregate.name, "after": UUID(int=0), "after_version": 0, "limit": batch}
        while rows := self.connection.execute(query("aggregate_ids"), parameters).fetchall():
            yield [row[0] for row in rows]
            parameters |= {"after": rows[-1][0], "after_version": 1}

    def load(
        self,
        aggregate: Aggregate[S, Any],
        aggregate_id: UUID,
        known: Loaded[S] | None = None,
        *,
        use_snapshots: bool = True,
    ) -> Loaded[S]:
        """The present state of an aggregate; the initial state if it has no events.

        The newest usable snapshot and the events after it come in one round trip. A snapshot that is damaged, of another
        state class, or of an event that the log does not have is reported and passed over, and an older one or the log
        itself takes its place.

        Args:
            known: an earlier state of the same aggregate; then only the events after it are read.
            use_snapshots: False folds every event.

        Raises:
            UnreadableEvent: an event cannot be decoded.
            CorruptStream: a version is missing.
        """
        if known is not None or not use_snapshots:
            base, rows = known or Loaded(aggregate.initial(), 0), None
        else:
            base, rows = self._newest_usable(aggregate, aggregate_id)
        while True:
            if rows is None:
                rows = self._cursor.execute(
                    query("tail"), {**_of(aggregate, aggregate_id), "after": base.version, "limit": LOAD_PAGE}
                ).fetchall()
            base = _folded(aggregate, aggregate_id, base, rows)
            if len(rows) < LOAD_PAGE:
                return base
            rows = None

    def _newest_usable(self, aggregate: Aggregate[S, Any], aggregate_id: UUID) -> tuple[Loaded[S], list[Row] | None]:
        """The state in the newest usable snapshot, and the events after it; without any, the initial state."""
        before = MAX_VERSION
        while True:
            try:
                rows = self._cursor.execute(
                    query("load"),
                    {
                        **_of(aggregate, aggregate_id),
                        "state_schema": aggregate.state_schema,
                        "before": before,
                        "limit": LOAD_PAGE,
                    },
                ).fetchall()
            except (
                psycopg.errors.DataCorrupted
            ) as error:  # a page of the table is damaged, perhaps of the snapshots' one
                _report_unused(aggregate, aggregate_id, "damaged", str(error))
                return Loaded(aggregate.initial(), 0), None
            snapshots = list(itertools.takewhile(lambda row: row[0] is None, rows))
            del rows[: len(snapshots)]
            base = Loaded(aggregate.initial(), 0)
            try:
                for _, _, encoded, about, version in snapshots:
                    if encoded is None:
                        _report_unused(aggregate, aggregate_id, about, f"version {version}")
                    else:
                        before = version
                        last, position, sha256 = about.split(" ")
                        state = restored(
                            aggregate,
                            aggregate_id,
                            version,
                            UUID(last),
                            int(position),
                            encoded,
                            bytes.fromhex(sha256),
                        )
                        base = Loaded(state, version)
                return base, rows
            except CorruptSnapshot as error:
                _report_unused(aggregate, aggregate_id, "corrupt", str(error))

    def executed(self, aggregate: Aggregate[S, Any], aggregate_id: UUID, command_id: UUID) -> list[Recorded[Event]]:
        """The events that a command has caused in an aggregate earlier, in order; none if it was not executed there."""
        row = self.connection.execute(
            query("version_of_event"), {"aggregate_id": aggregate_id, "event_id": event_id(command_id, aggregate_id, 0)}
        ).fetchone()
        if row is None:
            return []
        following = self.read(aggregate, aggregate_id, after=row[0] - 1)
        return list(itertools.takewhile(lambda recorded: recorded.metadata.command_id == command_id, following))


def _of(aggregate: Aggregate[Any, Any], aggregate_id: UUID) -> dict[str, Any]:
    return {
        "aggregate_id": aggregate_id,
        "aggregate_type": aggregate.name,
        "upcast_types": aggregate.upcast_types,
    }


def _folded(aggregate: Aggregate[S, Any], aggregate_id: UUID, base: Loaded[S], rows: list[Row]) -> Loaded[S]:
    version = base.version + len(rows)
    if rows and rows[-1][4] != version:
        raise CorruptStream(
            f"{aggregate.name} {aggregate_id} has {len(rows)} events from version {base.version + 1} "
            f"to {rows[-1][4]}: some are missing"
        )
    return Loaded(aggregate.fold_rows(rows, aggregate_id, base.state), version)


def _report_unused(aggregate: Aggregate[Any, Any], aggregate_id: UUID, reason: str, detail: str) -> None:
    SNAPSHOT_FALLBACKS.labels(aggregate.name, reason).inc()
    log.warning("a snapshot of %s %s is not used, since it is %s: %s", aggregate.name, aggregate_id, reason, detail)
