"""What stands in the topic of orders, read with a client of the tests' own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from uuid import uuid4

from confluent_kafka import Consumer, Message, TopicPartition

from eventlib.streaming.clients import KafkaAddress, reach
from eventlib.streaming.topics import end_offsets

TOPIC = "order.events"


def messages_of(kafka: KafkaAddress) -> list[Message]:
    """All messages of the topic, partition by partition."""
    reader = Consumer({**kafka.configuration(), "group.id": uuid4().hex, "enable.auto.commit": False})
    found = []
    for partition, end in end_offsets(reach(kafka), TOPIC).items():
        reader.assign([TopicPartition(TOPIC, partition, 0)])
        while end and (not found or found[-1].partition() != partition or found[-1].offset() < end - 1):
            message = reader.poll(10)
            assert message is not None and message.error() is None
            found.append(message)
    reader.close()
    return found


def versions_of(messages: Sequence[Message]) -> dict[str, list[int]]:
    versions = defaultdict(list)
    for message in messages:
        versions[message.key().decode()].append(int(dict(message.headers())["ce_aggregateversion"]))
    return versions
