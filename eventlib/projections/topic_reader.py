"""Reads the topic of an aggregate for a group whose offsets are in the database, beside what it makes of the messages."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from eventlib.aggregate import Aggregate
from eventlib.codec import storable
from eventlib.errors import TopicError, UnreadableEvent
from eventlib.projections.offsets import BEGINNING, Place, applied_offsets, record_offsets
from eventlib.store.connection import Connection
from eventlib.store.epochs import epoch_began
from eventlib.store.log_identity import log_id
from eventlib.store.queries import query
from eventlib.streaming.clients import KafkaAddress, consumer, next_messages, reach
from eventlib.streaming.messages import IncomingEvent, incoming_event, source_of
from eventlib.streaming.peek import messages_at
from eventlib.streaming.topics import TopicWatch, begin_offsets, ensure_topic, topic_id, topic_of

POLL_S = 0.1

log = logging.getLogger(__name__)


class Unreadable(msgspec.Struct, frozen=True):
    """A message that is no event of eventlib, or a damaged one."""

    partition: int
    offset: int
    error: str


class Missed(msgspec.Struct, frozen=True):
    """Messages that were gone from the topic before they were read: the first and the last one."""

    partition: int
    first_offset: int
    last_offset: int


@dataclass
class Batch:
    """Consumed messages: the events in them, what could not be read, what was missed before them, and where each partition
    goes on after them."""

    events: list[IncomingEvent] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    missed: list[Missed] = field(default_factory=list)
    places: dict[int, Place] = field(default_factory=dict)


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
        self._moved_at = epoch_began(connection)
        self._resumed: dict[int, int] = {}
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
        for partition in self._resumed_at(member.assignment()):
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
        first: dict[int, int] = {}
        for message in messages:
            if (error := message.error()) is not None:
                raise TopicError(f"{self.group}: consuming {self.topic} failed: {error.str()}")
            partition, offset = message.partition(), message.offset()
            assert partition is not None and offset is not None
            batch.places[partition] = _place_after(message)
            first.setdefault(partition, offset)
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
        batch.missed = self._missed(first)
        for one in batch.missed:
            log.error(
                "%s: messages %d to %d of partition %d of %s were gone before they were read: a rebuild makes up for them",
                *(self.group, one.first_offset, one.last_offset, one.partition, self.topic),
            )
        batch.events = self._still_there(batch.events)
        return batch

    def record(self, batch: Batch) -> datetime | None:
        """Record how far the group has come; to be called in the transaction that holds what was made of the messages.

        Returns:
            The time by the database's clock; None when nothing of this was new.
        """
        for name, found in (("unreadable_write", batch.unreadable), ("missed_write", batch.missed)):
            if found:
                messages = msgspec.json.encode(found).decode()
                about = {"projection": self.group, "topic_id": self._topic_id, "messages": messages}
                self._connection.execute(query(name), about)
        return record_offsets(self._connection, self.group, self.topic, self._topic_id, batch.places)

    def _resume(self, member: Consumer, assigned: list[TopicPartition]) -> None:
        """Go on with newly assigned partitions where the database says, not where the group's offsets in Kafka say."""
        assigned = self._resumed_at(assigned)
        try:
            member.incremental_assign(assigned)
            if self._paused:
                member.pause(assigned)
        except KafkaException as error:
            raise TopicError(f"{self.group}: assignment of {self.topic} failed: {error}") from None

    def _resumed_at(self, partitions: Sequence[TopicPartition]) -> list[TopicPartition]:
        """Partitions, each where the database says that its messages are to go on."""
        self._topic_id = topic_id(self._admin, self.topic)
        known = applied_offsets(self._connection, self.group, self.topic, self._topic_id)
        places = {one.partition: known.get(one.partition, BEGINNING) for one in partitions}
        for partition in self._cut_back(places):
            log.warning(
                "%s: partition %d of %s was cut back, and is read from its beginning", self.group, partition, self.topic
            )
            places[partition] = BEGINNING
        self._resumed.update({partition: place.next_offset for partition, place in places.items()})
        return [TopicPartition(self.topic, partition, place.next_offset) for partition, place in places.items()]

    def _cut_back(self, places: Mapping[int, Place]) -> list[int]:
        """Partitions that do not have the last message any more that was applied: a broker has lost it, and may have written
        others in its place. librdkafka looks for that itself (KIP-320), but not where a partition is assigned."""
        last = {one: place for one, place in places.items() if place.leader_epoch is not None}
        found = messages_at(self._kafka, self.topic, {one: place.next_offset - 1 for one, place in last.items()})
        there = {one: _place_after(message) for one, message in found.items() if message is not None}
        return [
            one for one, place in there.items() if place != last[one] and place.next_offset <= last[one].next_offset
        ]

    def _missed(self, first: dict[int, int]) -> list[Missed]:
        """What was gone before the first messages that came since these partitions were resumed."""
        began = {partition: self._resumed.pop(partition, offset) for partition, offset in first.items()}
        skipped = {partition for partition, offset in first.items() if offset > began[partition]}
        if not skipped:  # else it may be that an offset there is no message's
            return []
        begins = begin_offsets(self._admin, self.topic, skipped)
        return [Missed(one, began[one], begins[one] - 1) for one in sorted(skipped) if begins[one] > began[one]]

    def _still_there(self, events: list[IncomingEvent]) -> list[IncomingEvent]:
        """Without the events that the log has lost on its way to where it is now."""
        moved_at = self._moved_at
        if moved_at is None or not (old := [event for event in events if _is_from_before(event, moved_at)]):
            return events
        said = [
            {"event_id": event.event_id, "aggregate_id": event.aggregate_id, "version": event.version} for event in old
        ]
        found = self._connection.execute(query("events_in_log"), {"events": msgspec.json.encode(said).decode()})
        there = {row[0] for row in found}
        lost = {event.place: event for event in old if event.event_id not in there}
        for place, event in lost.items():
            log.error(
                "%s: skipped: %s has version %d of %s, which the log has lost on its way to this server",
                *(self.group, place, event.version, event.aggregate_id),
            )
        return [event for event in events if event.place not in lost]


def _place_after(message: Message) -> Place:
    offset = message.offset()
    assert offset is not None
    return Place(offset + 1, message.leader_epoch())


def _is_from_before(event: IncomingEvent, moment: datetime) -> bool:
    try:
        return bool(event.event_id) and event.recorded_at < moment
    except UnreadableEvent:  # without an id or a time: whoever takes it says so
        return False
