"""The relay: publishes outbox rows to Kafka, at least once, in order for each aggregate."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message

from eventlib.errors import RelayError
from eventlib.stopping import Stop
from eventlib.store.connection import Connection
from eventlib.store.log_identity import log_id
from eventlib.store.queries import query
from eventlib.store.single_worker import wait_for_turn
from eventlib.streaming.clients import KafkaAddress, producer, reach
from eventlib.streaming.messages import OutgoingMessage, outgoing_message
from eventlib.streaming.topics import ensure_topic

BATCH_ROWS = 2000
POLL_SHORTEST_S, POLL_LONGEST_S = 0.005, 0.02

log = logging.getLogger(__name__)


class Relay:
    """Publishes what is committed and not yet published.

    The lock that makes a process the relay and the deletion of published rows go through the same connection: who lost the
    one can no longer do the other. A crash anywhere leaves rows that are published again, never rows that are not.
    """

    def __init__(self, connection: Connection, kafka: KafkaAddress, topic_partitions: int) -> None:
        self._connection = connection
        self._kafka = kafka
        self._topic_partitions = topic_partitions
        self._admin = reach(kafka)
        self._log_id = log_id(connection)
        self._topics: set[str] = set()
        self._producer = producer(kafka)

    def run(self, stop: Stop) -> None:
        """Publish until `stop`; while another relay is at work, stand by.

        Raises:
            RelayError: Kafka refused a message for good.
            ServiceUnavailable: a topic cannot be created.
            psycopg.OperationalError: the database is gone.
        """
        if not wait_for_turn(self._connection, "relay", stop):
            return
        log.info("publishing")
        pause = POLL_SHORTEST_S
        while not stop:
            if self.publish_batch(stop):
                pause = POLL_SHORTEST_S
            else:
                stop.wait(pause)
                pause = min(pause * 1.5, POLL_LONGEST_S)

    def publish_batch(self, stop: Stop | None = None) -> int:
        """Publish the oldest rows, wait for Kafka's acknowledgements, forget what was acknowledged.

        Args:
            stop: gives up the wait; what is not acknowledged by then stays in the outbox and is published again.

        Returns:
            The number of rows published; 0 when there were none.

        Raises:
            RelayError: Kafka refused a message for good; what had been acknowledged before it is forgotten all the same.
        """
        rows = self._connection.execute(query("outbox_fetch"), {"limit": BATCH_ROWS}).fetchall()
        if not rows:
            return 0
        outgoing = [outgoing_message(self._log_id, *row[1:]) for row in rows]
        for topic in {message.topic for message in outgoing} - self._topics:
            ensure_topic(self._admin, topic, self._topic_partitions)
            self._topics.add(topic)
        failures = self._produce(outgoing, Stop() if stop is None else stop)
        published = published_prefixes(rows, failures)
        if published:
            self._connection.execute(query("outbox_delete"), {"ids": published})
        if failures and not stop:
            self._discard_producer()
            first = min(failures)
            raise RelayError(
                f"Kafka refused outbox row {rows[first][0]} ({rows[first][3]} {rows[first][2]}, version {rows[first][8]}) "
                f"for topic {outgoing[first].topic}: {failures[first].str()}. It stays in the outbox and is tried again."
            )
        return len(published)

    def _produce(self, outgoing: Sequence[OutgoingMessage], stop: Stop) -> dict[int, KafkaError]:
        """Produce all messages and wait until each is acknowledged or has failed for good; the failures by index.

        At a `stop` what is still under way fails: it may have reached Kafka or not, and is published again.
        """
        failures: dict[int, KafkaError] = {}

        # Delivery callbacks only take notes: what they raise would surface from flush(), in the midst of other messages.
        def note(index: int) -> Any:
            def on_delivery(error: KafkaError | None, _message: Message) -> None:
                if error is not None:
                    failures[index] = error

            return on_delivery

        for index, message in enumerate(outgoing):
            while True:
                try:
                    self._producer.produce(
                        message.topic,
                        message.value,
                        message.key,
                        headers=list(message.headers),
                        on_delivery=note(index),
                    )
                    break
                except BufferError:
                    self._producer.poll(0.1)
                    if stop:
                        self._producer.purge()
                except KafkaException as error:  # refused before it is queued, too large for instance
                    failures[index] = error.args[0]
                    break
        while self._producer.flush(0.1):
            if stop:
                self._producer.purge()
        return failures

    def _discard_producer(self) -> None:
        # After a message has timed out, librdkafka may go on with later ones of the same partition, idempotence or not.
        # What is still queued is purged, so that only a new producer, from the unmarked rows, decides what comes next.
        self._producer.purge()
        self._producer.flush()
        self._producer = producer(self._kafka)


def published_prefixes(rows: Sequence[Sequence[Any]], failures: dict[int, KafkaError]) -> list[int]:
    """The ids of the rows that may be forgotten: of each aggregate those before its first failure.

    Args:
        rows: as fetched, in order; id and aggregate id in columns 0 and 2.
        failures: by index into `rows`.
    """
    stopped: set[str] = set()
    published = []
    for index, row in enumerate(rows):
        if index in failures:
            stopped.add(row[2])
        elif row[2] not in stopped:
            published.append(row[0])
    return published
