"""What is left to do between the outbox and the read models."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from confluent_kafka.admin import AdminClient

from eventlib.projection import Projection
from eventlib.projections.offsets import applied_offsets
from eventlib.store.connection import Connection
from eventlib.store.queries import query
from eventlib.streaming.topics import end_offsets, topic_id, topic_of


@dataclass(frozen=True)
class Backlog:
    """Work that is left, at one moment.

    Attributes:
        unpublished: outbox rows that Kafka has not acknowledged yet.
        oldest_s: age of the oldest of them, in seconds; 0.0 when there are none.
        unapplied: messages that a projection has not applied yet, by projection.
    """

    unpublished: int
    oldest_s: float
    unapplied: dict[str, int]

    @property
    def left(self) -> int:
        """Events still to be published plus messages still to be applied."""
        return self.unpublished + sum(self.unapplied.values())

    def __str__(self) -> str:
        parts = [f"{self.unpublished} events unpublished (the oldest for {self.oldest_s:.1f} s)"]
        parts += [f"{count} messages not applied to {name}" for name, count in self.unapplied.items()]
        return ", ".join(parts)


def backlog(connection: Connection, admin: AdminClient, projections: Iterable[Projection[Any]]) -> Backlog:
    """Measure the backlog: first the outbox, then the topics, then what was applied, so that nothing slips through.

    Raises:
        ServiceUnavailable: the broker does not answer.
    """
    unpublished, oldest_s = connection.execute(query("outbox_backlog")).fetchall()[0]
    unapplied = {}
    for projection in projections:
        topic = topic_of(projection.aggregate.name)
        ends = end_offsets(admin, topic)
        applied = applied_offsets(connection, projection.name, topic, topic_id(admin, topic)) if ends else {}
        unapplied[projection.name] = sum(max(0, end - applied.get(partition, 0)) for partition, end in ends.items())
    return Backlog(unpublished, oldest_s, unapplied)
