"""How far each projection has come in its topic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from confluent_kafka.admin import AdminClient

from eventlib.projection import Projection
from eventlib.projections.offsets import applied_offsets
from eventlib.store.connection import Connection
from eventlib.streaming.topics import end_offsets, topic_id, topic_of


@dataclass(frozen=True)
class Position:
    """Of one partition the next offset that a projection will apply, and the next one that the partition will give."""

    next_offset: int
    end: int

    @property
    def unapplied(self) -> int:
        """Messages that wait."""
        return max(0, self.end - self.next_offset)


def positions(
    connection: Connection, admin: AdminClient, projections: Iterable[Projection[Any]]
) -> dict[str, dict[int, Position]]:
    """Of each projection its position in every partition: first the ends are asked for, then what was applied.

    Raises:
        ServiceUnavailable: the broker does not answer.
    """
    topics: dict[str, tuple[dict[int, int], str]] = {}
    found: dict[str, dict[int, Position]] = {}
    for projection in projections:
        topic = topic_of(projection.aggregate.name)
        if topic not in topics:
            ends = end_offsets(admin, topic)
            topics[topic] = ends, topic_id(admin, topic) if ends else ""
        ends, known_as = topics[topic]
        applied = applied_offsets(connection, projection.name, topic, known_as)
        found[projection.name] = {
            partition: Position(applied.get(partition, 0), end) for partition, end in ends.items()
        }
    return found
