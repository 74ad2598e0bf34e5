"""How far each consumer of a topic has come in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from confluent_kafka.admin import AdminClient

from eventlib.aggregate import Aggregate
from eventlib.projections.offsets import BEGINNING, applied_offsets
from eventlib.store.connection import Connection
from eventlib.streaming.topics import end_offsets, topic_id, topic_of


class Consuming(Protocol):
    """What reads the topic of an aggregate under a name: a projection, or notifications."""

    @property
    def name(self) -> str: ...
    @property
    def aggregate(self) -> Aggregate[Any, Any]: ...


@dataclass(frozen=True)
class Position:
    """Of one partition the next offset that a consumer will apply, and the next one that the partition will give."""

    next_offset: int
    end: int

    @property
    def unapplied(self) -> int:
        """Messages that wait."""
        return max(0, self.end - self.next_offset)


def positions(
    connection: Connection, admin: AdminClient, consuming: Iterable[Consuming]
) -> dict[str, dict[int, Position]]:
    """Of each consumer its position in every partition: first the ends are asked for, then what was applied.

    Raises:
        ServiceUnavailable: the broker does not answer.
    """
    topics: dict[str, tuple[dict[int, int], str]] = {}
    found: dict[str, dict[int, Position]] = {}
    for one in consuming:
        topic = topic_of(one.aggregate.name)
        if topic not in topics:
            ends = end_offsets(admin, topic)
            topics[topic] = ends, topic_id(admin, topic) if ends else ""
        ends, known_as = topics[topic]
        applied = applied_offsets(connection, one.name, topic, known_as)
        found[one.name] = {
            partition: Position(applied.get(partition, BEGINNING).next_offset, end) for partition, end in ends.items()
        }
    return found
