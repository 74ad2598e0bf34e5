"""Histories that were written down afterwards, as by an import: when they happened is then told by the writer alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from eventlib.events import Event, Recorded

AFTERWARDS = timedelta(hours=1)
IN_ONE_GO = 100
"""Recording took less than this fraction of the time by which the least late event was late."""


@dataclass(frozen=True)
class Backfill:
    """A history that was recorded in one go, well after it had happened.

    Attributes:
        first_occurred_at: the earliest time of an event, as the writer claimed, in UTC.
        last_occurred_at: the latest one.
        recorded_at: when the first event was recorded.
    """

    first_occurred_at: datetime
    last_occurred_at: datetime
    recorded_at: datetime

    @property
    def span(self) -> timedelta:
        """From the earliest to the latest event."""
        return self.last_occurred_at - self.first_occurred_at

    @property
    def delay(self) -> timedelta:
        """From the latest event to the recording."""
        return self.recorded_at - self.last_occurred_at


def backfill(events: Sequence[Recorded[Event]]) -> Backfill | None:
    """Whether a history of several events was recorded in one go afterwards, and how; None if it was not."""
    if sum(one.part == 0 for one in events) < 2:  # of one stored event an upcaster may make several
        return None
    recorded = [one.recorded_at for one in events]
    occurred = [one.occurred_at for one in events]
    least_late = min(one.recorded_at - one.occurred_at for one in events)
    if least_late < AFTERWARDS or max(recorded) - min(recorded) > least_late / IN_ONE_GO:
        return None
    return Backfill(min(occurred), max(occurred), min(recorded))
