"""An aggregate and a topic of a benchmark's own, and bare loops over them: what the same work takes without any promise."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from confluent_kafka import Message, TopicPartition

from eventlib.aggregate import Aggregate
from eventlib.bench.filling import streams
from eventlib.bench.order_mix import OrderMix
from eventlib.errors import EventlibError
from eventlib.orders import ORDER
from eventlib.outbox.unpublished import OutboxRow
from eventlib.store.bulk_load import bulk_load
from eventlib.store.connection import Connection, connect
from eventlib.store.queries import query
from eventlib.store.scratch_database import scratch_database
from eventlib.streaming.clients import KafkaAddress, consumer, next_messages, producer, reach
from eventlib.streaming.messages import OutgoingMessage, outgoing_message
from eventlib.streaming.topics import end_offsets, ensure_topic, topic_of

BATCH = 2_000
PATIENCE_S = 60.0

MIX = OrderMix(orders=500)


@dataclass(frozen=True)
class Backlog:
    """Events of a mix of orders that stand in an outbox.

    Attributes:
        database_url: of a scratch database.
        connection: to it, which waits for no disk, as relays and projectors do not.
        aggregate: whose events they are, with a topic that nobody else reads.
    """

    database_url: str
    connection: Connection
    aggregate: Aggregate[Any, Any]


@contextmanager
def backlog(
    database_url: str, kafka: KafkaAddress, store_partitions: int, topic_partitions: int, events: int
) -> Iterator[Backlog]:
    """A backlog of so many events; database and topic are removed at the end."""
    with (
        scratch_database(database_url, store_partitions) as scratch,
        bench_aggregate(kafka, topic_partitions) as aggregate,
        connect(scratch, "eventlib bench") as connection,
    ):
        connection.execute("SET synchronous_commit TO off")
        bulk_load(connection, aggregate, streams(MIX.histories(), events), publish=True)
        yield Backlog(scratch, connection, aggregate)


@contextmanager
def bench_aggregate(kafka: KafkaAddress, partitions: int, keep: bool = False) -> Iterator[Aggregate[Any, Any]]:
    """Orders under another name, whose topic nobody else reads.

    Args:
        keep: whether to leave its topics to a broker that goes away itself; else every topic named for it is deleted.
    """
    aggregate = dataclasses.replace(ORDER, name=f"bench-{uuid4().hex[:12]}")
    admin = reach(kafka)
    ensure_topic(admin, topic_of(aggregate.name), partitions)
    try:
        yield aggregate
    finally:
        if not keep:
            made = [topic for topic in admin.list_topics(timeout=15).topics if aggregate.name in topic]
            for deleted in admin.delete_topics(made, operation_timeout=15).values():
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
