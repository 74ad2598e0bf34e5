"""Sends outbox rows to Kafka, and knows of each what has become of it."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Iterable, Sequence
from uuid import UUID

from confluent_kafka import KafkaError, KafkaException, Message

from eventlib.outbox.first_contact import FirstContact
from eventlib.outbox.unpublished import OutboxRow
from eventlib.streaming.clients import KafkaAddress, producer
from eventlib.streaming.messages import outgoing_message
from eventlib.streaming.topics import topic_of
from eventlib.tracing import record, tracing

MAX_ROWS = 10_000
"""With so many at Kafka that are not yet forgotten in the outbox, no more is fetched."""

ALONE_S = 1.0
"""For how long messages that are sent alone are waited for, so that the leases do not run out meanwhile."""
PARTING_S = 0.5

_OF_THE_MESSAGE = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.INVALID_MSG,
    KafkaError.INVALID_MSG_SIZE,
    KafkaError.RECORD_LIST_TOO_LARGE,
    KafkaError.INVALID_RECORD,
}
"""Refusals that are the message's own fault: the same message will be refused again, and others will not."""


def is_of_the_message(error: KafkaError) -> bool:
    """Whether Kafka has refused this one message, and not failed as a whole."""
    return error.code() in _OF_THE_MESSAGE


class Sender:
    """Messages on their way.

    Attributes:
        on_the_way: rows that were handed to Kafka and are not forgotten in the outbox yet, by id, in order.
        acknowledged: the ids of those that Kafka has.
        refused: those that were not even queued, too large for instance, with the reason. Nothing else suffers. Until they
            are taken note of, nothing more of their aggregates is sent.
        failures: those that were queued and that Kafka will not have, by id. What to do then is `begin_again`.
        broken: why nothing more can be sent; then, too.
        suspects: the ids of rows that Kafka has refused together with others. Each of them is sent alone, which shows whose
            fault it was: the broker judges a whole batch.
        partitions: how many each topic has, said by whoever made sure of it; forgotten when all begins again.
    """

    def __init__(self, kafka: KafkaAddress, log_id: UUID) -> None:
        self._kafka = kafka
        self._log_id = log_id
        self._producer = producer(kafka)
        self._first_failed: dict[str, int] = {}
        self._most_queued = MAX_ROWS
        self._traced: list[tuple[OutboxRow, int]] = []
        self.on_the_way: dict[int, OutboxRow] = {}
        self.acknowledged: list[int] = []
        self.refused: dict[OutboxRow, KafkaError] = {}
        self.failures: dict[int, KafkaError] = {}
        self.broken: KafkaError | None = None
        self.suspects: set[int] = set()
        self.partitions: dict[str, int] = {}
        self._first_contact = FirstContact(self.partitions)

    @property
    def has_room(self) -> bool:
        """Whether more may be sent."""
        return len(self.on_the_way) < MAX_ROWS and len(self._producer) <= self._most_queued

    def send(self, rows: Sequence[OutboxRow]) -> bool:
        """Hand rows to Kafka. Behind one that failed, nothing more of its aggregate is sent.

        Returns:
            Whether all were dealt with. If not, the queue is full or of no more use, or first messages are not acknowledged
            yet: the rest has to be fetched again.
        """
        if any(one in self.on_the_way for one in self.suspects) and not self._flushed(ALONE_S):
            return False  # nothing goes out beside one that is to be alone
        alone_since, waiting = math.inf, set()
        for row in rows:
            if row.aggregate_id in self._first_failed or row.aggregate_id in waiting:
                continue
            if self._first_contact.must_wait(topic_of(row.aggregate_type), row.aggregate_id):
                waiting.add(row.aggregate_id)  # and nobody else: another partition may answer sooner
                continue
            if self.broken is not None or time.monotonic() - alone_since > ALONE_S:
                return False
            if row.id in self.suspects:
                alone_since = min(alone_since, time.monotonic())
                if not self._flushed(ALONE_S) or row.aggregate_id in self._first_failed:
                    return False
                if not (self._produce(row) and self._flushed(ALONE_S)):
                    return False
            elif not self._produce(row):
                return False
        return not waiting

    def wait(self, seconds: float) -> None:
        """Take note of what has become of messages; wait for it so long at most."""
        self._poll(seconds)
        if len(self._producer) <= self._most_queued:
            self._most_queued = MAX_ROWS
        while self._traced:
            row, began_ns = self._traced.pop()
            record("publish", row.metadata, began_ns, {"aggregate_id": row.aggregate_id, "version": row.version})

    def forget(self, ids: Iterable[int]) -> None:
        """These rows are no longer in the outbox."""
        for one in ids:
            self.on_the_way.pop(one, None)

    def take_acknowledged(self) -> list[int]:
        """The ids of the rows that may be forgotten in the outbox: what Kafka has, and no row of its aggregate before it
        is missing there. Each once."""
        taken, self.acknowledged = self.acknowledged, []
        return taken

    def take_refused(self) -> dict[OutboxRow, KafkaError]:
        """The rows that were not even queued, with the reason. Each once: of their aggregates, what is sent next is sent."""
        taken, self.refused = self.refused, {}
        for row in taken:
            if self._first_failed[row.aggregate_id] == row.id:
                del self._first_failed[row.aggregate_id]
        return taken

    def begin_again(self) -> None:
        """Drop what is queued, and the producer with it.

        After a message has failed, librdkafka might go on with later ones of the same partition. So that only the rows
        decide what comes next, nothing is taken over.
        """
        self.settle()
        self._producer = producer(self._kafka)
        self.partitions.clear()
        self._first_contact = FirstContact(self.partitions)
        self.forget_all()

    def forget_all(self) -> None:
        """Know of nothing that was sent."""
        self._first_failed.clear()
        self.refused.clear()
        self.failures.clear()
        self.on_the_way.clear()
        self._most_queued = MAX_ROWS
        self.acknowledged.clear()
        self.broken = None

    def settle(self) -> None:
        """Wait for a moment for what is on the way; drop the rest, and see what has become of each message."""
        if self.broken is None:
            self._flushed(PARTING_S)
        self._producer.purge()
        self._flushed(PARTING_S)

    def _produce(self, row: OutboxRow) -> bool:
        message = outgoing_message(self._log_id, *row[2:])
        self.on_the_way[row.id] = row
        try:
            self._producer.produce(
                message.topic,
                message.value,
                message.key,
                headers=message.headers,  # type: ignore[arg-type]  # a list is a list of wider things
                on_delivery=functools.partial(self._note, row, time.time_ns() if tracing() else 0),
            )
            self._first_contact.sent(message.topic, row.aggregate_id)
        except BufferError:
            self.forget([row.id])
            if queued := len(self._producer):
                self._most_queued = queued // 2  # not one at a time: the rest is fetched again each time
                return False
            self._refuse(row, KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "it is larger than the queue of the producer"))
        except KafkaException as error:
            self.forget([row.id])
            if not is_of_the_message(error.args[0]):
                self.broken = error.args[0]
                return False
            self._refuse(row, error.args[0])
        return True

    def _refuse(self, row: OutboxRow, error: KafkaError) -> None:
        self._first_failed[row.aggregate_id] = row.id
        self.refused[row] = error

    def _flushed(self, seconds: float) -> bool:
        """Wait until it is known of every message what has become of it; whether it is within that time."""
        until = time.monotonic() + seconds
        # Not flush(): it goes on with delivery callbacks in the midst of an exception that it has to raise, and loses them.
        while len(self._producer) and time.monotonic() < until:
            self._poll(0.05)
        return not len(self._producer)

    def _poll(self, seconds: float) -> None:
        try:
            self._producer.poll(seconds)
        except KafkaException as error:  # a fatal one: this producer sends nothing more
            self.broken = error.args[0]

    # It only takes notes: what a delivery callback raises would surface from poll(), in the midst of other messages.
    def _note(self, row: OutboxRow, began_ns: int, error: KafkaError | None, message: Message) -> None:
        if error is None and message.offset() is None:
            error = KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, "acknowledged only because a later message was")
        if error is not None:
            self.failures[row.id] = error
            self._first_failed[row.aggregate_id] = min(row.id, self._first_failed.get(row.aggregate_id, row.id))
        elif row.id < self._first_failed.get(row.aggregate_id, row.id + 1):
            partition = message.partition()
            if partition is not None:
                self._first_contact.acknowledged(topic_of(row.aggregate_type), partition, row.aggregate_id)
            self.acknowledged.append(row.id)
            self.suspects.discard(row.id)
            if began_ns:
                self._traced.append((row, began_ns))
