"""Kafka clients: one way to configure them, and a check that fails in seconds with the reason."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from eventlib.errors import ServiceUnavailable

REACH_TIMEOUT_S = 8.0

log = logging.getLogger(__name__)


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
            **(defaults or {}),
            **self.options,
            "bootstrap.servers": self.bootstrap,
        }


def reach(address: KafkaAddress) -> AdminClient:
    """An administration client that has just talked to the broker.

    Raises:
        ServiceUnavailable: no answer within 8 s, or the login was refused; with librdkafka's last words.
    """
    reasons: list[str] = []
    # The client hands its own failures to the callback, which keeps them off the terminal and gives us the reason.
    configuration = address.configuration()
    configuration["error_cb"] = lambda error: reasons.append(error.str())
    admin = AdminClient(configuration)
    try:
        admin.list_topics(timeout=REACH_TIMEOUT_S)
    except KafkaException as error:
        admin.poll(0)
        reason = reasons[-1] if reasons else error.args[0].str()
        raise ServiceUnavailable(
            f"Kafka at {address.bootstrap} cannot be used: {reason}. Start the embedded one with `eventlib up`, "
            "or check EVENTLIB_KAFKA_BOOTSTRAP and EVENTLIB_KAFKA_OPTIONS."
        ) from None
    return admin


def producer(address: KafkaAddress) -> Producer:
    """A producer that keeps order and does not duplicate by its own retries."""
    return Producer(
        {
            # A user's options may tune the client; what the guarantees rest on comes last and cannot be changed.
            **address.configuration({"linger.ms": 1}),
            "enable.idempotence": True,
            "acks": "all",
            # The default hashes keys unlike Java's clients do; a key must land in one partition whoever writes it.
            "partitioner": "murmur2_random",
            "error_cb": _log_error,
        }
    )


def consumer(address: KafkaAddress, group: str) -> Consumer:
    """A consumer whose offsets are kept by the caller, in the transaction that applies what was consumed."""
    return Consumer(
        {
            # A killed member's partitions are handed on after its session has timed out; brokers allow no less than 6 s.
            **address.configuration(
                {"session.timeout.ms": 6000, "heartbeat.interval.ms": 1500, "fetch.wait.max.ms": 50}
            ),
            "group.id": group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "error_cb": _log_error,
        }
    )


def _log_error(error: KafkaError) -> None:
    log.warning("Kafka: %s", error.str())
