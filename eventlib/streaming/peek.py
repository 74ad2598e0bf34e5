"""A look at single messages, beside whoever consumes the topic."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime

from confluent_kafka import Message, TopicPartition

from eventlib.errors import UnreadableEvent
from eventlib.streaming.clients import KafkaAddress, consumer
from eventlib.streaming.messages import incoming_event

PATIENCE_S = 3.0
NO_MORE = {"queued.min.messages": "1", "fetch.message.max.bytes": "16384"}
"""Of each partition little more than the one message is brought; one that is larger comes all the same."""


def recorded_at(kafka: KafkaAddress, topic: str, offsets: Mapping[int, int]) -> dict[int, datetime | None]:
    """When the event at an offset of each partition was recorded, in UTC.

    None where that cannot be told: the message is no event of eventlib, or did not come within 3 s.
    """
    return {partition: _time_of(message) for partition, message in messages_at(kafka, topic, offsets).items()}


def messages_at(kafka: KafkaAddress, topic: str, offsets: Mapping[int, int]) -> dict[int, Message | None]:
    """The message at an offset of each partition, or the next one that there is; the first of all if the partition ends
    before. None where none came within 3 s."""
    found: dict[int, Message | None] = dict.fromkeys(offsets)
    if not offsets:
        return found
    looker = consumer(KafkaAddress(kafka.bootstrap, {**kafka.options, **NO_MORE}), "eventlib-monitor")
    try:
        # Assigned by hand: it joins no group and takes nobody's partitions.
        looker.assign([TopicPartition(topic, partition, offset) for partition, offset in offsets.items()])
        waiting, deadline = set(offsets), time.monotonic() + PATIENCE_S
        while waiting and (left := deadline - time.monotonic()) > 0:
            message = looker.poll(left)
            if message is None or message.error() is not None or message.partition() not in waiting:
                continue
            partition = message.partition()
            assert partition is not None
            waiting.remove(partition)
            looker.pause([TopicPartition(topic, partition)])
            found[partition] = message
    finally:
        looker.close()
    return found


def _time_of(message: Message | None) -> datetime | None:
    try:
        return None if message is None else incoming_event(message).recorded_at
    except UnreadableEvent:
        return None
