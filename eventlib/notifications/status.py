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


@dataclass(frozen=True)
class Unsent:
    """A push that the push service has not taken.

    Attributes:
        state: `sending` (being tried), `refused` (by the push service), `failed` (no notice could be made) or `expired`.
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
        waiting_s: for how long the oldest one that is being tried has been; 0.0 when there is none.
        recent: how many were refused or failed within the last day.
        unsent: at most 20, the newest first.
    """

    states: dict[str, int]
    waiting_s: float
    recent: int
    unsent: list[Unsent]

    @property
    def problems(self) -> list[str]:
        """What somebody should see to, in words."""
        found = []
        if self.waiting_s > PATIENCE_S:
            found.append(f"a push has been waiting for the push service for {self.waiting_s:.0f} s")
        if self.recent:
            found.append(f"{self.recent} pushes were refused or could not be made within the last 24 hours")
        return found


def notification_status(connection: Connection) -> NotificationStatus:
    """Look at all pushes that were ever noted."""
    states, waiting_s, recent = {}, 0.0, 0
    for state, count, oldest_s, of_last_day in connection.execute(query("notifications_count")):
        states[state] = count
        if state == "sending":
            waiting_s = oldest_s
        if state in {"refused", "failed"}:
            recent += of_last_day
    unsent = [Unsent(*row) for row in connection.execute(query("notifications_unsent"), {"limit": SHOWN})]
    return NotificationStatus(states, waiting_s, recent, unsent)
