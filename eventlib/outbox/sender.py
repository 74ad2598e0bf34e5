"""Sends outbox rows to Kafka, and knows of each what has become of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from uuid import UUID

from confluent_kafka import KafkaError, KafkaException, Message

from eventlib.outbox.unpublished import OutboxRow
from eventlib.streaming.clients import KafkaAddress, producer
from eventlib.streaming.messages import outgoing_message
from eventlib.tracing import record, tracing

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
        refused: those that were not even queued, too large for instance, with the reason. Nothing else suffers.
        failures: those that were queued and that Kafka will not have, by id. What to do then is `begin_again`.
    """

    def __init__(self, kafka: KafkaAddress, log_id: UUID) -> None:
        self._kafka = kafka
        self._log_id = log_id
        self._producer = producer(kafka)
        self._first_failed: dict[str, int] = {}
        self._traced: list[tuple[OutboxRow, int]] = []
        self.on_the_way: dict[int, OutboxRow] = {}
        self.acknowledged: list[int] = []
        self.refused: dict[OutboxRow, KafkaError] = {}
        self.failures: dict[int, KafkaError] = {}

    def send(self, rows: Sequence[OutboxRow]) -> None:
        """Hand rows to Kafka. Behind one that failed, nothing more of its aggregate is sent."""
        for row in rows:
            if row.aggregate_id in self._first_failed:
                continue
            self.on_the_way[row.id] = row
            message = outgoing_message(self._log_id, *row[2:])
            while True:
                try:
                    self._producer.produce(
                        message.topic,
                        message.value,
                        message.key,
                        headers=message.headers,  # type: ignore[arg-type]  # a list is a list of wider things
                        on_delivery=self._note(row),
                    )
                    break
                except BufferError:
                    self._producer.poll(0.1)
                except KafkaException as error:
                    self._first_failed[row.aggregate_id] = row.id
                    self.refused[row] = error.args[0]
                    del self.on_the_way[row.id]
                    break

    def wait(self, seconds: float) -> None:
        """Take note of what has become of messages; wait for it so long at most."""
        self._producer.poll(seconds)
        while self._traced:
            row, began_ns = self._traced.pop()
            record("publish", row.metadata, began_ns, {"aggregate_id": row.aggregate_id, "version": row.version})

    def forget(self, ids: Sequence[int]) -> None:
        """These rows are no longer in the outbox."""
        for one in ids:
            self.on_the_way.pop(one, None)

    def take_acknowledged(self) -> list[int]:
        """The ids of the rows that may be forgotten in the outbox: what Kafka has, and no row of its aggregate before it
        is missing there. Each once."""
        taken, self.acknowledged = self.acknowledged, []
        return taken

    def allow_all(self) -> None:
        """Send also those aggregates again of which a message was refused."""
        self._first_failed.clear()

    def begin_again(self) -> None:
        """Drop what is queued, and the producer with it.

        After a message has failed, librdkafka may go on with later ones of the same partition, idempotence or not. So that
        only the rows decide what comes next, nothing is taken over.
        """
        self.settle()
        self._producer = producer(self._kafka)
        self._first_failed.clear()
        self.refused.clear()
        self.failures.clear()
        self.on_the_way.clear()
        self.acknowledged.clear()

    def settle(self) -> None:
        """Drop what is queued, and wait until it is known of every message what has become of it."""
        self._producer.purge()
        self._producer.flush()

    # Delivery callbacks only take notes: what they raise would surface from poll(), in the midst of other messages.
    def _note(self, row: OutboxRow) -> Callable[[KafkaError | None, Message], None]:
        began_ns = time.time_ns() if tracing() else 0

        def on_delivery(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                self._first_failed.setdefault(row.aggregate_id, row.id)
                self.failures[row.id] = error
            elif row.id < self._first_failed.get(row.aggregate_id, row.id + 1):
                self.acknowledged.append(row.id)
                if began_ns:
                    self._traced.append((row, began_ns))

        return on_delivery
