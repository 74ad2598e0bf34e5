"""The projector: folds consumed events into a read model, each event once, with its offsets in the same transaction."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Generic

import psycopg
from confluent_kafka import Consumer, Message

from eventlib.projection import Projection, S
from eventlib.projections.applying import Applied, RowRefused, apply_events
from eventlib.projections.lag_record import LagRecord
from eventlib.projections.tables import check_table
from eventlib.projections.topic_reader import Batch, TopicReader
from eventlib.stopping import Stop
from eventlib.store.connection import Connection, again, keep_nobody_waiting
from eventlib.store.event_store import Store
from eventlib.streaming.clients import KafkaAddress
from eventlib.streaming.messages import IncomingEvent
from eventlib.tracing import record, tracing

BATCH_MESSAGES = 2000
LOOK_S = 1.0
"""How often a projector looks whether it is paused, or its table was made anew by another version."""

log = logging.getLogger(__name__)


class _TableChanged(Exception):
    """Another table has taken the place of the one that these messages were asked for."""


class Projector(Generic[S]):
    """Keeps one projection up to date from its topic; several of them share the topic's partitions.

    A batch is folded and committed before the next one is asked for, so when a partition is taken away, nothing of it is
    left to drain. An event that cannot be taken parks its aggregate, and nobody else.
    """

    def __init__(
        self,
        connection: Connection,
        kafka: KafkaAddress,
        topic_partitions: int,
        projection: Projection[S],
        lag: LagRecord | None = None,
    ) -> None:
        """Nothing is consumed yet.

        Args:
            connection: for this projector alone.
            topic_partitions: of a topic that it has to create.
            lag: takes note of how long events took to become visible; by default in the database.
        """
        # What is lost in a crash of the server is lost with its offsets, and applied again: no need to wait for the disk.
        connection.execute("SET synchronous_commit TO off")
        keep_nobody_waiting(connection)
        self._connection = connection
        self._store = Store(connection)
        self._projection = projection
        self._generation: int | None = None
        self._lag = lag or LagRecord(projection.name)
        self._reader = TopicReader(connection, kafka, topic_partitions, projection.aggregate, projection.name)

    def run(self, stop: Stop) -> None:
        """Consume and apply until `stop`, resting while the projection is paused.

        Raises:
            TableNotReady: the table is another version's.
            ProjectionError: the log was set back.
            TopicError: the messages are another log's.
            psycopg.OperationalError: the database is gone.
        """
        looked = -LOOK_S
        with self._reader.joined() as member:
            log.info("projecting %s", self._projection.name)
            while not stop:
                try:
                    if time.monotonic() - looked >= LOOK_S:
                        self._look(member)
                        looked = time.monotonic()
                    if messages := self._reader.poll(member, BATCH_MESSAGES):
                        self.apply(messages)
                    if self._lag.due:
                        self._flush()
                except _TableChanged:
                    looked = -LOOK_S  # the look goes back to where the other table stands
                except psycopg.errors.LockNotAvailable as error:
                    log.warning("%s waits for a lock of somebody else's: %s", self._projection.name, str(error).strip())
                    self._reader.return_to_offsets(member)
        self._flush()

    def apply(self, messages: Sequence[Message]) -> None:
        """Fold messages into the read model and record the offsets, in one transaction.

        Raises:
            ProjectionError: an event is ahead of the log.
            TopicError: a message reports an error, or comes from another log.
        """
        self._apply(self._reader.decode(messages))

    @again
    def _look(self, member: Consumer) -> None:
        """See whether to rest, and whether another table has taken the place of the one that was kept up to date."""
        table = check_table(self._connection, self._projection)
        if self._generation not in (None, table.generation):
            self._reader.return_to_offsets(member)  # the other table may stand at an earlier point
        self._generation = table.generation
        self._reader.rest(member, table.paused_since is not None)

    @again
    def _flush(self) -> None:
        self._lag.flush(self._connection)

    def _apply(self, batch: Batch) -> None:
        name, began_ns = self._projection.name, time.time_ns()
        try:
            applied, visible_at = self._write(batch, savepoints=False)
        except RowRefused:
            applied, visible_at = self._write(batch, savepoints=True)
        if visible_at is not None:
            written = [(event.partition, event.recorded_at) for event in applied.visible]
            self._lag.add(visible_at, written + [(event.partition, at) for event, at in applied.late])
        if tracing():
            for event in applied.visible:
                about: dict[str, str | int] = {"aggregate_id": str(event.aggregate_id), "version": event.version}
                record(f"project {name}", event.headers.get("metadata", b""), began_ns, about)
        for one in applied.poison:
            log.error("%s: %s is parked at version %d: %s", name, one.aggregate_id, one.version, one.error)
        for message in batch.unreadable:
            log.error("%s: skipped: %s", name, message.error)

    @again
    def _write(self, batch: Batch, savepoints: bool) -> tuple[Applied[IncomingEvent], datetime | None]:
        """Apply a batch; also when that became visible, if it has."""
        with self._connection.transaction():
            applied = apply_events(self._store, self._projection, batch.events, savepoints=savepoints)
            if self._generation not in (None, applied.generation):
                raise _TableChanged
            return applied, self._reader.record(batch)
