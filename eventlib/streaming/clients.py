"""Kafka clients: one way to configure them, and a check that fails in seconds with the reason."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient

from eventlib.errors import ServiceUnavailable, SettingsError

REACH_TIMEOUT_S = 8.0
REPEAT_AFTER_S = 10.0
QUEUE_KB = 65_536
"""What waits for Kafka in a producer takes no more memory than that, unless the user says so."""

C = TypeVar("C")

log = logging.getLogger(__name__)

# What breaks a producer is raised as well; librdkafka would write it to the terminal, whatever the level of its log.
_unheard = logging.getLogger("eventlib.librdkafka")
_unheard.setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True)
class KafkaAddress:
    """Where Kafka is and how to log in.

    Attributes:
        bootstrap: `host:port[,host:port]`.
        options: librdkafka properties for every client, secrets among them, hence not shown.
    """

    bootstrap: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    def configuration(self, defaults: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The librdkafka configuration of one client: `defaults`, overridden by the user's own options."""
        # librdkafka writes its log to the terminal; its errors reach us through callbacks and exceptions as well.
        return {
            "client.id": "eventlib",
            "log_level": 2,
            # Once a broker is back, work goes on within a second, not ten.
            "reconnect.backoff.max.ms": 1000,
            **(defaults or {}),
            **self.options,
            "bootstrap.servers": self.bootstrap,
        }


def reach(address: KafkaAddress) -> AdminClient:
    """An administration client that has just talked to the broker.

    Raises:
        ServiceUnavailable: no answer within 8 s, or the login was refused; with librdkafka's last words.
    """
    reasons: list[KafkaError] = []
    # The client hands its own failures to the callback, which keeps them off the terminal and gives us the reason.
    configuration = address.configuration()
    configuration["error_cb"] = reasons.append
    admin = _made(AdminClient, configuration)
    try:
        admin.list_topics(timeout=REACH_TIMEOUT_S)
    except KafkaException as error:
        admin.poll(0)
        # That all brokers are down is a consequence; why one of them is says more.
        reasons.sort(key=lambda one: one.code() != KafkaError._ALL_BROKERS_DOWN)
        reason = (reasons[-1] if reasons else error.args[0]).str()
        raise ServiceUnavailable(
            f"Kafka at {address.bootstrap} cannot be used: {reason}. Start the embedded one with `eventlib up`, "
            "or check EVENTLIB_KAFKA_BOOTSTRAP and EVENTLIB_KAFKA_OPTIONS."
        ) from None
    return admin


def producer(address: KafkaAddress) -> Producer:
    """A producer that keeps order and does not duplicate by its own retries; of no more use once a message has failed."""
    return _made(
        Producer,
        {
            # A user's options may tune the client; what the guarantees rest on comes last and cannot be changed.
            **address.configuration({"linger.ms": 1, "queue.buffering.max.kbytes": QUEUE_KB}),
            "enable.idempotence": True,
            "acks": "all",
            # A message never gives up by itself: one that did would leave a gap, behind which later ones still arrive.
            "message.timeout.ms": 0,
            # Nor does one that the broker refuses: after it this producer sends nothing more.
            "enable.gapless.guarantee": True,
            # The default hashes keys unlike Java's clients do; a key must land in one partition whoever writes it.
            "partitioner": "murmur2_random",
            "error_cb": _ErrorLog(),
            "logger": _unheard,
        },
    )


def consumer(address: KafkaAddress, group: str) -> Consumer:
    """A consumer whose offsets are kept by the caller, in the transaction that applies what was consumed."""
    return _made(
        Consumer,
        {
            # A killed member's partitions are handed on after its session has timed out; brokers allow no less than 6 s.
            **address.configuration(
                {"session.timeout.ms": 6000, "heartbeat.interval.ms": 1500, "fetch.wait.max.ms": 50}
            ),
            "group.id": group,
            # Whoever comes or goes takes or leaves some partitions; the others go on meanwhile.
            "partition.assignment.strategy": "cooperative-sticky",
            "enable.partition.eof": False,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "error_cb": _ErrorLog(),
        },
    )


def next_messages(member: Consumer, limit: int, seconds: float) -> list[Message]:
    """The next messages, as soon as there are some; none when none comes in that time.

    A member that has not asked for minutes counts as dead. It is told so in place of a message, and joins again by asking.
    """
    first = member.poll(seconds)
    # consume() waits for as many as are asked for or the whole timeout: after the first one, not at all.
    messages = [] if first is None else [first, *member.consume(limit - 1, 0)]
    return [message for message in messages if not _was_away(message)]


def _was_away(message: Message) -> bool:
    error = message.error()
    if error is None or error.code() != KafkaError._MAX_POLL_EXCEEDED:
        return False
    log.warning("Kafka: %s; joining again", error.str())
    return True


def _made(client: Callable[[dict[str, Any]], C], configuration: dict[str, Any]) -> C:
    try:
        return client(configuration)
    except KafkaException as error:
        raise SettingsError(f"EVENTLIB_KAFKA_OPTIONS: librdkafka refuses them: {error.args[0].str()}") from None


class _ErrorLog:
    """Logs what a client says, the same only every so often: without a broker it says the same ten times a second."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def __call__(self, error: KafkaError) -> None:
        text, now = error.str(), time.monotonic()
        if now - self._said.get(text, -REPEAT_AFTER_S) >= REPEAT_AFTER_S:
            self._said[text] = now
            log.warning("Kafka: %s", text)
