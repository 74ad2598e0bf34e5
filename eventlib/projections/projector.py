"""The projector: folds consumed events into a read model, each event once, with its offsets in the same transaction."""

from __future__ import annotations

import itertools
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic
from uuid import UUID

import msgspec
import psycopg
from confluent_kafka import Message
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from eventlib.errors import EventlibError, ProjectionError
from eventlib.events import Event, Recorded
from eventlib.projection import Projection, Row, S
from eventlib.projections.lag_record import LagRecord
from eventlib.projections.parking import Poison, park, parked_among
from eventlib.projections.rows import read_states, write_rows
from eventlib.projections.tables import check_table
from eventlib.projections.topic_reader import Batch, TopicReader
from eventlib.stopping import Stop
from eventlib.store.connection import Connection
from eventlib.store.event_store import Store
from eventlib.streaming.clients import KafkaAddress
from eventlib.streaming.messages import IncomingEvent

BATCH_MESSAGES = 2000
LOOK_S = 1.0
"""How often a projector looks whether it is paused, or its table was made anew by another version."""

log = logging.getLogger(__name__)

# Two transactions that have waited for each other: the same batch again is likely to get through.
_again = retry(
    retry=retry_if_exception_type((psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)),
    stop=stop_after_attempt(5),
    wait=wait_random_exponential(0.01, max=0.5),
    reraise=True,
)


@dataclass
class _Folded(Generic[S]):
    """The state of an aggregate and the version that it is of."""

    version: int
    state: S


@dataclass(frozen=True)
class _Candidate:
    """A row to be written, and what to say if the table refuses it."""

    row: Row
    if_refused: Poison


class _CannotTake(Exception):
    """An event cannot be taken; what was folded before it can be kept."""

    def __init__(self, poison: Poison) -> None:
        super().__init__(poison.error)
        self.poison = poison


class Projector(Generic[S]):
    """Keeps one projection up to date from its topic; several of them share the topic's partitions.

    A batch is folded and committed before the next one is asked for, so when a partition is taken away, nothing of it is
    left to drain. An event that cannot be taken parks its aggregate, and nobody else.
    """

    def __init__(
        self, connection: Connection, kafka: KafkaAddress, topic_partitions: int, projection: Projection[S]
    ) -> None:
        # What is lost in a crash of the server is lost with its offsets, and applied again: no need to wait for the disk.
        connection.execute("SET synchronous_commit TO off")
        self._connection = connection
        self._store = Store(connection)
        self._projection = projection
        self._lag = LagRecord(projection.name)
        self._reader = TopicReader(connection, kafka, topic_partitions, projection.aggregate, projection.name)

    def run(self, stop: Stop) -> None:
        """Consume and apply until `stop`, resting while the projection is paused.

        Raises:
            ProjectionError: the table is another version's, or the log was set back.
            TopicError: the messages are another log's.
            psycopg.OperationalError: the database is gone.
        """
        looked = -LOOK_S
        with self._reader.joined() as member:
            log.info("projecting %s", self._projection.name)
            while not stop:
                if time.monotonic() - looked >= LOOK_S:
                    self._reader.rest(member, check_table(self._connection, self._projection))
                    looked = time.monotonic()
                if messages := self._reader.poll(member, BATCH_MESSAGES):
                    self.apply(messages)
                if self._lag.due:
                    self._lag.flush(self._connection)
        self._lag.flush(self._connection)

    def apply(self, messages: Sequence[Message]) -> None:
        """Fold messages into the read model and record the offsets, in one transaction.

        Raises:
            ProjectionError: an event is ahead of the log.
            TopicError: a message reports an error, or comes from another log.
        """
        self._apply(self._reader.decode(messages))

    @_again
    def _apply(self, batch: Batch) -> None:
        name = self._projection.name
        by_aggregate: dict[UUID, list[IncomingEvent]] = defaultdict(list)
        for event in batch.events:
            by_aggregate[event.aggregate_id].append(event)
        with self._connection.transaction():
            applied, poison = self._write_rows(by_aggregate)
            park(self._connection, name, poison)
            visible_at = self._reader.record(batch.next_offsets, batch.unreadable)
        if visible_at is not None:
            self._lag.add(visible_at, [(event.partition, event.recorded_at) for event in applied])
        for one in poison:
            log.error("%s: %s is parked at version %d: %s", name, one.aggregate_id, one.version, one.error)
        for message in batch.unreadable:
            log.error("%s: skipped: %s", name, message.error)

    def _write_rows(self, by_aggregate: dict[UUID, list[IncomingEvent]]) -> tuple[list[IncomingEvent], list[Poison]]:
        """Fold and write what can be: the events that are visible then, and what cannot be taken."""
        behind = parked_among(self._connection, self._projection.name, by_aggregate)
        present = read_states(self._connection, self._projection, by_aggregate.keys() - behind)
        candidates: list[_Candidate] = []
        poison: dict[UUID, Poison] = {}
        applied: dict[UUID, list[IncomingEvent]] = {}
        for aggregate_id, events in by_aggregate.items():
            if aggregate_id in behind:
                continue
            before, state = present.get(aggregate_id) or (0, self._projection.initial())
            folded = _Folded(before, state)
            try:
                self._fold(aggregate_id, folded, events)
            except _CannotTake as problem:
                poison[aggregate_id] = problem.poison
            if folded.version > before:
                try:
                    row = self._projection.row_of(aggregate_id, folded.state, folded.version)
                except Exception as error:
                    reason = f"its state at version {folded.version} does not become a row: {error!r}"
                    poison[aggregate_id] = Poison(aggregate_id, before + 1, events[0].place, reason)
                else:
                    candidates.append(_Candidate(row, Poison(aggregate_id, before + 1, events[0].place, "")))
                    by_version = {event.version: event for event in events if before < event.version <= folded.version}
                    applied[aggregate_id] = list(by_version.values())
        refused = {one.aggregate_id: one for one in self._write(candidates)}
        visible = [event for aggregate_id in applied.keys() - refused.keys() for event in applied[aggregate_id]]
        return visible, list({**poison, **refused}.values())

    def _write(self, candidates: Sequence[_Candidate]) -> list[Poison]:
        """Write all rows in one statement; when the table refuses one, each by itself, to find which."""
        try:
            with self._connection.transaction():
                write_rows(self._connection, self._projection, [one.row for one in candidates])
            return []
        except (psycopg.DataError, psycopg.IntegrityError, TypeError, ValueError) as error:
            if len(candidates) == 1:
                return [
                    msgspec.structs.replace(one.if_refused, error=f"the table refuses its row: {str(error).strip()}")
                    for one in candidates
                ]
            return [problem for one in candidates for problem in self._write([one])]

    def _fold(self, aggregate_id: UUID, folded: _Folded[S], events: Sequence[IncomingEvent]) -> None:
        """Apply the version gate: a version that is known is a duplicate, the next is folded, a gap is read from the log."""
        for event in events:
            if event.version <= folded.version:
                continue
            try:
                self._take(folded, self._missing(aggregate_id, folded.version, event.version - 1))
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
                raise ProjectionError(
                    f"{self._projection.name}: {event.place} has version {event.version} of {aggregate_id}, and the log has "
                    f"nothing after version {folded.version}: the database was set back to an earlier state"
                )

    def _take(self, folded: _Folded[S], events: Iterable[Recorded[Event]]) -> None:
        """Fold events; a stored event that stands for several moves the version only with all of them."""
        for version, parts in itertools.groupby(events, key=lambda recorded: recorded.version):
            state = folded.state
            for recorded in parts:
                state = self._projection.apply(state, recorded)
            folded.state, folded.version = state, version

    def _missing(self, aggregate_id: UUID, after: int, until: int) -> list[Recorded[Event]]:
        if after == until:
            return []
        log.warning(
            "%s: versions %d to %d of %s come from the log", self._projection.name, after + 1, until, aggregate_id
        )
        return list(self._store.read(self._projection.aggregate, aggregate_id, after=after, until=until))
