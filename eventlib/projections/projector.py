"""The projector: folds consumed events into a read model, each event once, with its offsets in the same transaction."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import Generic
from uuid import UUID

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from eventlib.codec import decoder_for
from eventlib.errors import ProjectionError
from eventlib.events import Event, Recorded
from eventlib.projection import Projection, Row, S
from eventlib.projections.offsets import applied_offsets, record_offsets
from eventlib.projections.rows import write_rows
from eventlib.projections.statements import statement
from eventlib.stopping import Stop
from eventlib.store.connection import Connection
from eventlib.store.event_store import Store
from eventlib.store.log_identity import log_id
from eventlib.streaming.clients import KafkaAddress, consumer, reach
from eventlib.streaming.messages import IncomingEvent, incoming_event, source_of
from eventlib.streaming.topics import ensure_topic, topic_id, topic_of

BATCH_MESSAGES = 2000
POLL_S = 0.1

log = logging.getLogger(__name__)


class Projector(Generic[S]):
    """Keeps one projection up to date from its topic; several of them share the topic's partitions."""

    def __init__(
        self, connection: Connection, kafka: KafkaAddress, topic_partitions: int, projection: Projection[S]
    ) -> None:
        self._connection = connection
        self._store = Store(connection)
        self._kafka = kafka
        self._projection = projection
        self._topic = topic_of(projection.aggregate.name)
        admin = reach(kafka)
        ensure_topic(admin, self._topic, topic_partitions)
        self._admin = admin
        self._topic_id = topic_id(admin, self._topic)
        self._source = source_of(log_id(connection))

    def run(self, stop: Stop) -> None:
        """Consume and apply until `stop`.

        Raises:
            ProjectionError: an event cannot be applied, and going on would skip it.
            UnreadableEvent: a message is not one of eventlib's.
            psycopg.OperationalError: the database is gone.
        """
        source = consumer(self._kafka, self._projection.name)
        try:
            source.subscribe([self._topic], on_assign=self._resume)
            log.info("projecting %s", self._projection.name)
            while not stop:
                first = source.poll(POLL_S)
                if first is not None:
                    # consume() waits for as many as are asked for or the whole timeout: after the first one, not at all.
                    self.apply([first, *source.consume(BATCH_MESSAGES - 1, 0)])
        finally:
            source.close()

    def apply(self, messages: Sequence[Message]) -> None:
        """Fold messages into the read model and record the offsets, in one transaction.

        Raises:
            ProjectionError: a message reports an error, or an event before it is in neither the read model nor the log.
            UnreadableEvent: a message is not one of eventlib's.
        """
        next_offsets: dict[int, int] = {}
        by_aggregate: dict[UUID, list[IncomingEvent]] = defaultdict(list)
        for message in messages:
            if (error := message.error()) is not None:
                raise ProjectionError(f"{self._projection.name}: consuming {self._topic} failed: {error.str()}")
            event = incoming_event(message)
            if event.source != self._source:
                raise ProjectionError(
                    f"{self._projection.name}: {event.place} has an event of {event.source.decode(errors='replace')}, and "
                    f"this database's log is {self._source.decode()}: two logs must not share a Kafka"
                )
            by_aggregate[event.aggregate_id].append(event)
            partition, offset = message.partition(), message.offset()
            assert partition is not None and offset is not None
            next_offsets[partition] = offset + 1
        with self._connection.transaction():
            self._write_rows(by_aggregate)
            record_offsets(self._connection, self._projection.name, self._topic, self._topic_id, next_offsets)

    def _write_rows(self, by_aggregate: dict[UUID, list[IncomingEvent]]) -> None:
        decode = decoder_for(self._projection.initial)
        found = self._connection.execute(
            statement("projection_read", self._projection), {"keys": list(by_aggregate)}
        ).fetchall()
        present = {key: (version, decode(state)) for key, version, state in found}
        rows: list[Row] = []
        for aggregate_id, events in by_aggregate.items():
            before, state = present.get(aggregate_id, (0, None))
            version, folded = self._fold(aggregate_id, before, state or self._projection.initial(), events)
            if version > before:
                rows.append(self._projection.row_of(aggregate_id, folded, version))
        if rows:
            write_rows(self._connection, self._projection, rows)

    def _fold(self, aggregate_id: UUID, version: int, state: S, events: Sequence[IncomingEvent]) -> tuple[int, S]:
        """Apply the version gate: a version that is known is a duplicate, the next is folded, a gap is read from the log."""
        projection = self._projection
        for event in events:
            if event.version <= version:
                continue
            for recorded in self._missing(aggregate_id, version, event.version - 1):
                state, version = self._folded(state, recorded, event.place), recorded.version
            if event.version != version + 1:
                raise ProjectionError(
                    f"{projection.name}: {event.place} has version {event.version} of {aggregate_id}, and the log has "
                    f"nothing after version {version}: the database was set back to an earlier state"
                )
            for recorded in event.recorded(projection.aggregate):
                state = self._folded(state, recorded, event.place)
            version = event.version
        return version, state

    def _folded(self, state: S, recorded: Recorded[Event], place: str) -> S:
        try:
            return self._projection.apply(state, recorded)
        except Exception as error:
            raise ProjectionError(
                f"{self._projection.name}: version {recorded.version} of {recorded.aggregate_id} ({place}) cannot be "
                f"folded: {error!r}"
            ) from error

    def _missing(self, aggregate_id: UUID, after: int, until: int) -> list[Recorded[Event]]:
        if after == until:
            return []
        log.warning(
            "%s: versions %d to %d of %s come from the log", self._projection.name, after + 1, until, aggregate_id
        )
        return list(self._store.read(self._projection.aggregate, aggregate_id, after=after, until=until))

    def _resume(self, source: Consumer, assigned: list[TopicPartition]) -> None:
        """On assignment, go on where the projection's own table says, not where the group's offsets say."""
        self._topic_id = topic_id(self._admin, self._topic)
        known = applied_offsets(self._connection, self._projection.name, self._topic, self._topic_id)
        for partition in assigned:
            partition.offset = known.get(partition.partition, 0)
        try:
            source.assign(assigned)
        except KafkaException as error:
            raise ProjectionError(f"{self._projection.name}: assignment of {self._topic} failed: {error}") from None
