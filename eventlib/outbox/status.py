"""The outbox as an operator sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from eventlib.store.connection import Connection
from eventlib.store.queries import query

STALLED_S = 10.0
"""A row that has waited this long was forgotten by whoever was to publish it: that takes milliseconds, a hand-over 3 s."""


@dataclass(frozen=True)
class Shard:
    """One shard; without an owner nobody publishes it. `oldest_s` is in seconds, 0.0 when
    nothing waits that is not held back."""

    shard: int
    owner: UUID | None
    epoch: int
    depth: int
    oldest_s: float


@dataclass(frozen=True)
class RelayAtWork:
    """One relay: where it runs, whether it is alive, how much it has published, and its last trouble."""

    relay: UUID
    place: str
    alive: bool
    published: int
    last_error: str | None
    last_error_at: datetime | None


@dataclass(frozen=True)
class Held:
    """An aggregate that is held back, and why. Without `retry_at` it is parked: it waits until somebody lets it go."""

    aggregate_id: UUID
    reason: str
    attempts: int
    retry_at: datetime | None
    held_since: datetime
    rows: int


@dataclass(frozen=True)
class OutboxStatus:
    """What waits in the outbox, and who is to publish it.

    Attributes:
        publisher: "relay" or "cdc".
        depth: rows in all.
        oldest_s: age of the oldest of them that nothing holds back, in seconds.
        shards: all of them.
        relays: those at work, and those of the last day that had trouble.
        held: aggregates that are held back.
    """

    publisher: str
    depth: int
    oldest_s: float
    shards: Sequence[Shard]
    relays: Sequence[RelayAtWork]
    held: Sequence[Held]

    @property
    def problems(self) -> list[str]:
        """What keeps events from being published; nothing if all is well."""
        found = [
            f"{one.aggregate_id} is {'tried again' if one.retry_at else 'parked'} after {one.attempts} refusals, and "
            f"{one.rows} events of it wait: {one.reason}"
            for one in self.held
        ]
        if self.publisher == "relay" and not any(relay.alive for relay in self.relays):
            found.append("no relay is at work: start one with `eventlib run relay`")
        if self.oldest_s > STALLED_S:
            found.append(f"the oldest event has waited for {self.oldest_s:.0f} s to be published")
        return found


def outbox_status(connection: Connection) -> OutboxStatus:
    """Look at the outbox. It counts rows, so it takes as long as the outbox is deep."""
    with connection.transaction():
        depth, oldest_s = connection.execute(query("outbox_backlog")).fetchall()[0]
        return OutboxStatus(
            publisher=connection.execute(query("outbox_publisher")).fetchall()[0][0],
            depth=depth,
            oldest_s=oldest_s,
            shards=[Shard(*row) for row in connection.execute(query("outbox_shards"))],
            relays=[RelayAtWork(*row) for row in connection.execute(query("outbox_relays"))],
            held=[Held(*row) for row in connection.execute(query("outbox_held"))],
        )
