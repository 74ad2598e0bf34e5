"""The event store: append at an expected version, read a stream, load a state."""

from __future__ import annotations

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec
import psycopg
from psycopg.pq import TransactionStatus

from eventlib.aggregate import Aggregate, S
from eventlib.codec import decoder_for, encode_event, encode_metadata
from eventlib.errors import ConcurrencyError, CorruptStream, DuplicateEvent, InvalidEvent
from eventlib.events import Event, Metadata, Recorded
from eventlib.store.connection import Connection, connect
from eventlib.store.queries import query

MAX_VERSION = 2**31 - 1
"""PostgreSQL's largest integer, the type of `version`."""

State = TypeVar("State")


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


@dataclass(frozen=True)
class Loaded(Generic[State]):
    """A state and the version that it belongs to; version 0 when the aggregate has no events."""

    state: State
    version: int


class _Row(msgspec.Struct):
    """One event as `sql/queries/append.sql` takes it."""

    event_id: str
    event_type: str
    event_data: msgspec.Raw
    metadata: msgspec.Raw
    version: int
    schema_version: int


_encode_rows = msgspec.json.Encoder().encode


class Store:
    """The log of events, through one connection. Not to be shared between threads: give each its own."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

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
                rows = self.connection.execute(query("append"), parameters).fetchall()
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
        self, aggregate: Aggregate[S, Any], aggregate_id: UUID, after: int = 0, until: int | None = None
    ) -> Iterator[Recorded[Event]]:
        """An aggregate's events in order, those with `after < version <= until`; none when there is no such aggregate.

        Raises:
            UnreadableEvent: an event cannot be decoded.
            CorruptStream: a version is missing.
        """
        rows = self.connection.execute(
            query("read_stream"),
            {
                "aggregate_id": aggregate_id,
                "aggregate_type": aggregate.name,
                "after": after,
                "until": MAX_VERSION if until is None else until,
            },
        )
        for version, row in zip(itertools.count(after + 1), rows):
            recorded = _recorded(aggregate, row)
            if recorded.version != version:
                raise CorruptStream(
                    f"{aggregate.name} {aggregate_id} has no version {version}: the next is {recorded.version}"
                )
            yield recorded

    def read_many(
        self, aggregate: Aggregate[S, Any], aggregate_ids: Sequence[UUID]
    ) -> Iterator[tuple[UUID, list[Recorded[Event]]]]:
        """All events of several aggregates, one aggregate after the other; those without events are left out.

        Raises:
            UnreadableEvent: an event cannot be decoded.
        """
        rows = self.connection.execute(
            query("read_streams"), {"aggregate_ids": list(aggregate_ids), "aggregate_type": aggregate.name}
        )
        recorded = (_recorded(aggregate, row) for row in rows)
        for aggregate_id, events in itertools.groupby(recorded, key=lambda one: one.aggregate_id):
            yield aggregate_id, list(events)

    def aggregate_ids(self, aggregate: Aggregate[S, Any], batch: int = 500) -> Iterator[list[UUID]]:
        """The ids of all aggregates of a type that have events, in order of id, in batches."""
        after: UUID | None = None
        while True:
            rows = self.connection.execute(
                query("aggregate_ids"), {"aggregate_type": aggregate.name, "after": after, "limit": batch}
            ).fetchall()
            if not rows:
                return
            yield [row[0] for row in rows]
            after = rows[-1][0]

    def load(self, aggregate: Aggregate[S, Any], aggregate_id: UUID, known: Loaded[S] | None = None) -> Loaded[S]:
        """The present state of an aggregate, folded from its events; the initial state if it has none.

        Args:
            known: an earlier state of the same aggregate; then only the events after it are read.

        Raises:
            UnreadableEvent: an event cannot be decoded.
            CorruptStream: a version is missing.
        """
        before = known or Loaded(aggregate.initial(), 0)
        rows = self.connection.execute(
            query("load"),
            {"aggregate_id": aggregate_id, "aggregate_type": aggregate.name, "after": before.version},
        ).fetchall()
        version = before.version + len(rows)
        if rows and rows[-1][3] != version:
            raise CorruptStream(
                f"{aggregate.name} {aggregate_id} has {len(rows)} events from version {before.version + 1} "
                f"to {rows[-1][3]}: some are missing"
            )
        decode = aggregate.decode
        state = aggregate.fold((decode(event_type, schema, data) for event_type, schema, data, _ in rows), before.state)
        return Loaded(state, version)

    def executed(self, aggregate: Aggregate[S, Any], aggregate_id: UUID, command_id: UUID) -> list[Recorded[Event]]:
        """The events that a command has caused in an aggregate earlier, in order; none if it was not executed there."""
        row = self.connection.execute(
            query("version_of_event"), {"aggregate_id": aggregate_id, "event_id": event_id(command_id, aggregate_id, 0)}
        ).fetchone()
        if row is None:
            return []
        following = self.read(aggregate, aggregate_id, after=row[0] - 1)
        return list(itertools.takewhile(lambda recorded: recorded.metadata.command_id == command_id, following))


def _recorded(aggregate: Aggregate[Any, Any], row: tuple[Any, ...]) -> Recorded[Event]:
    event_id, aggregate_id, event_type, schema_version, data, metadata, version, position, recorded_at = row
    return Recorded(
        event_id=event_id,
        aggregate_id=aggregate_id,
        aggregate_type=aggregate.name,
        version=version,
        position=position,
        recorded_at=recorded_at,
        event=aggregate.decode(event_type, schema_version, data),
        metadata=decoder_for(Metadata)(metadata),
    )


def event_id(command_id: UUID, aggregate_id: UUID, index: int) -> str:
    """The id of the event at `index` (from 0) among those that `command_id` causes in an aggregate.

    A name-based UUID (RFC 9562, version 5) as 32 hexadecimal digits; what `uuid.uuid5` makes, in a third of its time.

    Derived, so that executing a command again meets the unique constraint on (aggregate_id, event_id). The index on that
    constraint leads with aggregate_id, which is where its locality comes from; a time-ordered id would add none.
    """
    name = f"{aggregate_id}/{index}"
    digest = hashlib.sha1(command_id.bytes + name.encode(), usedforsecurity=False).hexdigest()
    return f"{digest[:12]}5{digest[13:16]}{_VARIANT[digest[16]]}{digest[17:32]}"


_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def append_parameters(
    aggregate: Aggregate[S, Any],
    aggregate_id: UUID,
    expected_version: int,
    events: Sequence[Event],
    metadata: Metadata | Sequence[Metadata],
) -> dict[str, object]:
    """The parameters of `sql/queries/append.sql`, after every check that needs no database.

    Raises:
        InvalidEvent: an event is not the aggregate's, does not encode strictly, or the expected version is impossible.
    """
    if type(aggregate_id) is not UUID:
        raise InvalidEvent(f"the id of {aggregate.name} is not a UUID: {aggregate_id!r}")
    if not events:
        raise InvalidEvent(f"an append to {aggregate.name} {aggregate_id} has no events")
    if type(expected_version) is not int or not 0 <= expected_version <= MAX_VERSION - len(events):
        raise InvalidEvent(
            f"the expected version of {aggregate.name} {aggregate_id} is impossible: {expected_version!r}"
        )
    if isinstance(metadata, Metadata):
        encoded = msgspec.Raw(encode_metadata(metadata))
        described = [(metadata.command_id, encoded)] * len(events)
    elif len(metadata) == len(events):
        described = [(one.command_id, msgspec.Raw(encode_metadata(one))) for one in metadata]
    else:
        raise InvalidEvent(f"{len(events)} events with {len(metadata)} metadata: give one for all, or one for each")
    rows = []
    ordinals: defaultdict[UUID, itertools.count[int]] = defaultdict(itertools.count)
    for version, (event, (command_id, about)) in enumerate(zip(events, described), start=expected_version + 1):
        if type(event) not in aggregate.kinds:
            raise InvalidEvent(f"{type(event).__name__} is not an event of aggregate {aggregate.name}")
        rows.append(
            _Row(
                event_id=event_id(command_id, aggregate_id, next(ordinals[command_id])),
                event_type=type(event).__name__,
                event_data=msgspec.Raw(encode_event(event)),
                metadata=about,
                version=version,
                schema_version=event.schema_version,
            )
        )
    return {
        "aggregate_id": aggregate_id,
        "aggregate_type": aggregate.name,
        "expected_version": expected_version,
        "events": _encode_rows(rows).decode(),
    }
