"""The topics: one for each aggregate type, created where missing, told apart by their id."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec, TopicDescription
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from eventlib.errors import ServiceUnavailable

TIMEOUT_S = 15.0
KEPT_FOR_EVER = {"retention.ms": "-1", "retention.bytes": "-1"}
WATCH_S = 1.0

# A topic that was just created, or a broker that was just restarted, has no leader for a moment.
_soon = retry(
    retry=retry_if_exception_type(KafkaException), stop=stop_after_delay(TIMEOUT_S), wait=wait_fixed(0.1), reraise=True
)


@functools.cache
def topic_of(aggregate_type: str) -> str:
    """The topic of an aggregate's events.

    >>> topic_of("order")
    'order.events'
    """
    return f"{aggregate_type}.events"


def ensure_topic(admin: AdminClient, topic: str, partitions: int, timeout_s: float = TIMEOUT_S) -> tuple[int, bool]:
    """Create the topic unless it exists; an existing one keeps its partitions. Its messages are kept for ever.

    Args:
        timeout_s: for how long to wait for an answer, in seconds.

    Returns:
        How many partitions it has, and whether it was made just now.

    Raises:
        ServiceUnavailable: the broker refuses, or does not answer.
    """
    if found := _partitions_of(admin, topic, timeout_s):  # asked first: who may use a topic may perhaps not create one
        return found, False
    # -1 is the broker's own default replication factor.
    wanted = NewTopic(topic, num_partitions=partitions, replication_factor=-1, config=KEPT_FOR_EVER)
    try:
        admin.create_topics([wanted], operation_timeout=timeout_s, request_timeout=timeout_s)[topic].result()
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise ServiceUnavailable(f"topic {topic} cannot be created: {error.args[0].str()}") from None
        return _partitions_of(admin, topic, timeout_s) or partitions, False
    return partitions, True


def topic_id(admin: AdminClient, topic: str) -> str:
    """The id that the broker gave the topic (KIP-516). A topic that was deleted and made again has another one.

    Raises:
        ServiceUnavailable: there is no such topic, or the broker does not say within 15 s.
    """
    try:
        return _topic_id(admin, topic)
    except KafkaException as error:
        raise ServiceUnavailable(f"topic {topic} cannot be described: {error.args[0].str()}") from None


class TopicWatch:
    """Asks for the id of a topic every second and never waits for the answer, so a broker that is away holds up nobody."""

    def __init__(self, admin: AdminClient, topic: str) -> None:
        self._admin = admin
        self._topic = topic
        self._asked: Future[TopicDescription] | None = None
        self._asked_at = 0.0

    def answer(self) -> str | None:
        """The id, once each time that the broker has said it; else None."""
        asked, answered = self._asked, None
        if asked is not None and asked.done():
            self._asked = None
            if asked.exception() is None:  # else the broker is away, or there is no such topic for a moment
                answered = str(asked.result().topic_id)
        if self._asked is None and time.monotonic() - self._asked_at >= WATCH_S:
            self._asked_at = time.monotonic()
            topics = TopicCollection([self._topic])
            self._asked = self._admin.describe_topics(topics, request_timeout=TIMEOUT_S)[self._topic]
        return answered


def end_offsets(admin: AdminClient, topic: str) -> dict[int, int]:
    """For each partition the offset that the next message will get; empty when there is no such topic.

    Raises:
        ServiceUnavailable: the broker does not say within 15 s.
    """
    try:
        return _end_offsets(admin, topic)
    except KafkaException as error:
        raise ServiceUnavailable(f"the end of topic {topic} cannot be told: {error.args[0].str()}") from None


def _partitions_of(admin: AdminClient, topic: str, timeout_s: float) -> int:
    try:
        return len(admin.list_topics(topic, timeout=timeout_s).topics[topic].partitions)
    except KafkaException as error:
        raise ServiceUnavailable(f"topic {topic} cannot be looked for: {error.args[0].str()}") from None


def begin_offsets(admin: AdminClient, topic: str, partitions: Iterable[int]) -> dict[int, int]:
    """For each of some partitions the offset of the first message that it still has.

    Raises:
        ServiceUnavailable: the broker does not say within 15 s.
    """
    try:
        return _begin_offsets(admin, topic, partitions)
    except KafkaException as error:
        raise ServiceUnavailable(f"the beginning of topic {topic} cannot be told: {error.args[0].str()}") from None


def group_members(admin: AdminClient, groups: Sequence[str]) -> dict[str, int]:
    """How many members each consumer group has; none of one that does not exist.

    Raises:
        ServiceUnavailable: the broker does not say within 15 s.
    """
    try:
        return _group_members(admin, groups)
    except KafkaException as error:
        # Its words alone may say nothing: "ConsumerGroupDescribe: ".
        reason = f"{error.args[0].name()} {error.args[0].str()}".strip(": ")
        raise ServiceUnavailable(f"consumer groups cannot be described: {reason}") from None


@_soon
def _group_members(admin: AdminClient, groups: Sequence[str]) -> dict[str, int]:
    described = admin.describe_consumer_groups(list(groups), request_timeout=TIMEOUT_S)
    return {group: len(future.result().members) for group, future in described.items()}


@_soon
def _topic_id(admin: AdminClient, topic: str) -> str:
    described = admin.describe_topics(TopicCollection([topic]), request_timeout=TIMEOUT_S)[topic].result()
    return str(described.topic_id)


@_soon
def _end_offsets(admin: AdminClient, topic: str) -> dict[int, int]:
    found = admin.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
    if found.error is not None:
        if found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return {}
        raise KafkaException(found.error)
    return _listed(admin, topic, found.partitions, OffsetSpec.latest())


@_soon
def _begin_offsets(admin: AdminClient, topic: str, partitions: Iterable[int]) -> dict[int, int]:
    return _listed(admin, topic, partitions, OffsetSpec.earliest())


def _listed(admin: AdminClient, topic: str, partitions: Iterable[int], which: OffsetSpec) -> dict[int, int]:
    asked = {TopicPartition(topic, partition): which for partition in partitions}
    answers = admin.list_offsets(asked, request_timeout=TIMEOUT_S)
    return {partition.partition: answer.result().offset for partition, answer in answers.items()}
