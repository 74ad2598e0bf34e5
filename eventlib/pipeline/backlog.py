"""What is left to do between the outbox and the read models."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka.admin import AdminClient

from eventlib.pipeline.positions import positions
from eventlib.projection import Projection
from eventlib.projections.missed import missed_counts
from eventlib.projections.parking import parked_counts
from eventlib.store.connection import Connection
from eventlib.store.queries import query


@dataclass(frozen=True)
class Backlog:
    """Work that is left, at one moment.

    Attributes:
        unpublished: outbox rows that Kafka has not acknowledged yet.
        oldest_s: age of the oldest of them that nothing holds back, in seconds; 0.0 when there are none.
        unapplied: messages that a projection has not applied yet, by projection.
        parked: aggregates that a projection has left behind, by projection; those that have left none are not named.
        missed: messages that were gone before a projection had read them, as `parked`.
    """

    unpublished: int
    oldest_s: float
    unapplied: dict[str, int]
    parked: dict[str, int] = field(default_factory=dict)
    missed: dict[str, int] = field(default_factory=dict)

    @property
    def left(self) -> int:
        """Events still to be published plus messages still to be applied."""
        return self.unpublished + sum(self.unapplied.values())

    def __str__(self) -> str:
        oldest = f" (the oldest that nothing holds back for {self.oldest_s:.1f} s)" if self.oldest_s else ""
        parts = [f"{self.unpublished} events unpublished{oldest}"]
        parts += [f"{count} messages not applied to {name}" for name, count in self.unapplied.items()]
        parts += [f"{count} aggregates parked by {name}" for name, count in self.parked.items()]
        parts += [
            f"{count} messages were gone before {name} had read them: rebuild it" for name, count in self.missed.items()
        ]
        return ", ".join(parts)


def backlog(connection: Connection, admin: AdminClient, projections: Iterable[Projection[Any]]) -> Backlog:
    """Measure the backlog: first the outbox, then the topics, then what was applied, so that nothing slips through.

    Raises:
        ServiceUnavailable: the broker does not answer.
    """
    unpublished, oldest_s = connection.execute(query("outbox_backlog")).fetchall()[0]
    unapplied = {
        name: sum(one.unapplied for one in by_partition.values())
        for name, by_partition in positions(connection, admin, projections).items()
    }
    names = list(unapplied)
    return Backlog(unpublished, oldest_s, unapplied, parked_counts(connection, names), missed_counts(connection, names))
