"""What has become of the pushes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from eventlib.store.connection import Connection
from eventlib.store.queries import query

PATIENCE_S = 60.0
"""How long a push may wait for the push service before that is called a problem."""

SHOWN = 20

LOST = {
    "refused": "refused by the push service",
    "failed": "given up, or could not be made,",
    "expired": "too late to be sent",
}
"""The states of pushes that nobody will get any more, in words."""


@dataclass(frozen=True)
class Unsent:
    """A push that the push service has not taken.

    Attributes:
        state: `sending` (waiting or being tried), `refused` (by the push service), `failed` (no notice could be made, or it
            was given up) or `expired`.
        since_s: for how long, in seconds by the database's clock.
    """

    aggregate_id: UUID
    version: int
    recipient: str
    event_type: str
    state: str
    attempts: int
    error: str | None
    noted_at: datetime
    since_s: float


@dataclass(frozen=True)
class NotificationStatus:
    """How many pushes are in which state, and the newest of those that were not sent.

    Attributes:
        states: by state, how many.
        waiting_s: for how long the oldest one that waits has done so; 0.0 when there is none.
        lost: how many were refused, failed or expired within the last day, by state.
        unsent: at most 20, the newest first.
    """

    states: dict[str, int]
    waiting_s: float
    lost: dict[str, int]
    unsent: list[Unsent]

    @property
    def problems(self) -> list[str]:
        """What somebody should see to, in words."""
        found = []
        if self.waiting_s > PATIENCE_S:
            found.append(f"a push has been waiting for the push service for {self.waiting_s:.0f} s")
        for state, words in LOST.items():
            if count := self.lost.get(state, 0):
                pushes = "push was" if count == 1 else "pushes were"
                found.append(f"{count} {pushes} {words} within the last 24 hours")
        return found


def notification_status(connection: Connection) -> NotificationStatus:
    """Look at all pushes that are remembered."""
    waiting_s = connection.execute(query("notifications_waiting")).fetchall()[0][1]
    unsent = [Unsent(*row) for row in connection.execute(query("notifications_unsent"), {"limit": SHOWN})]
    states: dict[str, int] = dict(connection.execute(query("notifications_count")).fetchall())
    return NotificationStatus(states, waiting_s, lost_pushes(connection), unsent)


def lost_pushes(connection: Connection) -> dict[str, int]:
    """How many pushes were refused, failed or expired within the last day, by state; all three are named."""
    return {**dict.fromkeys(LOST, 0), **dict(connection.execute(query("notifications_lost")).fetchall())}
