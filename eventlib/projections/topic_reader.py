"""Reads the topic of an aggregate for a group whose offsets are in the database, beside what it makes of the messages."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from eventlib.aggregate import Aggregate
from eventlib.codec import storable
from eventlib.errors import TopicError, UnreadableEvent
from eventlib.projections.offsets import applied_offsets, record_offsets
from eventlib.store.connection import Connection
from eventlib.store.log_identity import log_id
from eventlib.store.queries import query
from eventlib.streaming.clients import KafkaAddress, consumer, next_messages, reach
from eventlib.streaming.messages import IncomingEvent, incoming_event, source_of
from eventlib.streaming.topics import TopicWatch, ensure_topic, topic_id, topic_of

POLL_S = 0.1

log = logging.getLogger(__name__)


class Unreadable(msgspec.Struct, frozen=True):
    """A message that is no event of eventlib, or a damaged one."""

    partition: int
    offset: int
    error: str


@dataclass
class Batch:
    """Consumed messages: the events in them, what could not be read, and where each partition goes on after them."""

    events: list[IncomingEvent] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    next_offsets: dict[int, int] = field(default_factory=dict)


class TopicReader:
    """A member of a consumer group that goes on where the group's offsets in the database say.

    Attributes:
        group: the consumer group, and whose offsets these are.
        topic: that it reads.
    """

    def __init__(
        self,
        connection: Connection,
        kafka: KafkaAddress,
        topic_partitions: int,
        aggregate: Aggregate[Any, Any],
        group: str,
    ) -> None:
        self.group = group
        self.topic = topic_of(aggregate.name)
        self._connection = connection
        self._kafka = kafka
        self._admin = reach(kafka)
        ensure_topic(self._admin, self.topic, topic_partitions)
        self._topic_id = topic_id(self._admin, self.topic)
        self._watch = TopicWatch(self._admin, self.topic)
        self._source = source_of(log_id(connection))
        self._paused = False

    @contextmanager
    def joined(self) -> Iterator[Consumer]:
        """Be a member of the group; at the end leave it, so that others take over at once."""
        member = consumer(self._kafka, self.group)
        try:
            member.subscribe([self.topic], on_assign=self._resume)
            yield member
        finally:
            member.close()

    def rest(self, member: Consumer, paused: bool) -> None:
        """Ask for no more messages, or for some again; stays a member."""
        self._paused = paused
        (member.pause if paused else member.resume)(member.assignment())

    def poll(self, member: Consumer, limit: int) -> list[Message]:
        """The next messages, as soon as there are some; none after `POLL_S`, nor when the topic was made anew."""
        known = self._topic_id
        messages = next_messages(member, limit, POLL_S)  # may call `_resume`, which may learn of another topic
        if self._topic_id == known and self._watch.answer() in (None, known):
            return messages
        # Deleted and made again: what was consumed may be of the old one, and a position in that one means nothing now.
        log.warning("%s: %s was made anew, and is read from its beginning", self.group, self.topic)
        self.return_to_offsets(member)
        return []

    def return_to_offsets(self, member: Consumer) -> None:
        """Go on where the database says, which may be earlier than where it was."""
        known = self._known_offsets()
        for partition in member.assignment():
            partition.offset = known.get(partition.partition, 0)
            try:
                member.seek(partition)
            except KafkaException as error:
                if error.args[0].code() != KafkaError._STATE:  # just assigned: begins at this very offset anyway
                    raise TopicError(f"{self.group}: going back in {self.topic} failed: {error}") from None

    def decode(self, messages: Sequence[Message]) -> Batch:
        """Read the headers of messages.

        Raises:
            TopicError: a message reports an error, or comes from another log.
        """
        batch = Batch()
        for message in messages:
            if (error := message.error()) is not None:
                raise TopicError(f"{self.group}: consuming {self.topic} failed: {error.str()}")
            partition, offset = message.partition(), message.offset()
            assert partition is not None and offset is not None
            batch.next_offsets[partition] = offset + 1
            try:
                event = incoming_event(message)
            except UnreadableEvent as problem:
                batch.unreadable.append(Unreadable(partition, offset, storable(str(problem))))
                continue
            if event.source != self._source:
                raise TopicError(
                    f"{self.group}: {event.place} has an event of {event.source.decode(errors='replace')}, and "
                    f"this database's log is {self._source.decode()}: two logs must not share a Kafka"
                )
            batch.events.append(event)
        return batch

    def record(self, next_offsets: dict[int, int], unreadable: Sequence[Unreadable] = ()) -> datetime | None:
        """Record how far the group has come; to be called in the transaction that holds what was made of the messages.

        Returns:
            The time by the database's clock; None when nothing of this was new.
        """
        if unreadable:
            found = {
                "projection": self.group,
                "topic_id": self._topic_id,
                "messages": msgspec.json.encode(unreadable).decode(),
            }
            self._connection.execute(query("unreadable_write"), found)
        return record_offsets(self._connection, self.group, self.topic, self._topic_id, next_offsets)

    def _resume(self, member: Consumer, assigned: list[TopicPartition]) -> None:
        """Go on with newly assigned partitions where the database says, not where the group's offsets in Kafka say."""
        known = self._known_offsets()
        for partition in assigned:
            partition.offset = known.get(partition.partition, 0)
        try:
            member.incremental_assign(assigned)
            if self._paused:
                member.pause(assigned)
        except KafkaException as error:
            raise TopicError(f"{self.group}: assignment of {self.topic} failed: {error}") from None

    def _known_offsets(self) -> dict[int, int]:
        self._topic_id = topic_id(self._admin, self.topic)
        return applied_offsets(self._connection, self.group, self.topic, self._topic_id)
