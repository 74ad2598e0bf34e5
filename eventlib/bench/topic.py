"""An aggregate and a topic of a benchmark's own, and bare loops over them: what the same work takes without any promise."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from confluent_kafka import Message, TopicPartition

from eventlib.aggregate import Aggregate
from eventlib.errors import EventlibError
from eventlib.orders import ORDER
from eventlib.outbox.unpublished import OutboxRow
from eventlib.store.connection import Connection
from eventlib.store.queries import query
from eventlib.streaming.clients import KafkaAddress, consumer, next_messages, producer, reach
from eventlib.streaming.messages import OutgoingMessage, outgoing_message
from eventlib.streaming.topics import end_offsets, ensure_topic, topic_of

BATCH = 2_000
PATIENCE_S = 60.0


@contextmanager
def bench_aggregate(kafka: KafkaAddress, partitions: int) -> Iterator[Aggregate[Any, Any]]:
    """Orders under another name, whose topic nobody else reads; it is deleted at the end."""
    aggregate = dataclasses.replace(ORDER, name=f"bench-{uuid4().hex[:12]}")
    admin = reach(kafka)
    ensure_topic(admin, topic_of(aggregate.name), partitions)
    try:
        yield aggregate
    finally:
        for deleted in admin.delete_topics([topic_of(aggregate.name)], operation_timeout=15).values():
            deleted.result()


def bare_relay(
    connection: Connection, kafka: KafkaAddress, log_id: Any, until: Callable[[int], bool], pause_s: float = 0.003
) -> int:
    """Fetch, produce, wait for the acknowledgements, delete; no lease, no window, nothing held back.

    Args:
        until: told how many rows were published so far; whether to end.
    """
    sink = producer(kafka)
    published = 0
    while not until(published):
        rows = connection.execute(query("bench_outbox"), {"limit": BATCH}).fetchall()
        for row in rows:
            _produce(sink, outgoing_message(log_id, *OutboxRow(*row)[2:]))
        sink.flush()
        if rows:
            connection.execute(query("bench_outbox_delete"), {"ids": [row[0] for row in rows]})
            published += len(rows)
        else:
            time.sleep(pause_s)
    return published


def produce_all(kafka: KafkaAddress, messages: list[OutgoingMessage]) -> None:
    """Hand ready-made messages to librdkafka and wait until Kafka has all of them."""
    sink = producer(kafka)
    for message in messages:
        _produce(sink, message)
    sink.flush()


def _produce(sink: Any, message: OutgoingMessage) -> None:
    while True:
        try:
            sink.produce(message.topic, message.value, message.key, headers=message.headers)
            return
        except BufferError:
            sink.poll(0.1)


def consume_all(kafka: KafkaAddress, topic: str, messages: int, apply: Callable[[list[Message]], None]) -> float:
    """Give a topic's messages from its beginning to a function, batch by batch; how many seconds that took, from the first.

    Raises:
        EventlibError: they do not come within a minute.
    """
    source = consumer(kafka, f"{topic}-{uuid4().hex}")
    source.assign([TopicPartition(topic, partition, 0) for partition in end_offsets(reach(kafka), topic)])
    try:
        batch = next_messages(source, BATCH, PATIENCE_S)
        began, left = time.perf_counter(), messages
        while left:
            if not batch:
                raise EventlibError(
                    f"{left} of {messages} messages did not come from {topic} within {PATIENCE_S:.0f} s"
                )
            apply(batch)
            left -= len(batch)
            batch = next_messages(source, BATCH, PATIENCE_S) if left else []
        return time.perf_counter() - began
    finally:
        source.close()
