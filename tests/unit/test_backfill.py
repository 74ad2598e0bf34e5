"""A history that was recorded in one go afterwards is told by when it happened; any other is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from eventlib.events import Event, Metadata, Recorded
from eventlib.orders.events import OrderDelivered
from eventlib.temporal.backfill import backfill
from tests.orders import metadata

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NONE = timedelta(0)


def history(*moments: tuple[timedelta, timedelta]) -> list[Recorded[Event]]:
    """Events, each given by how long after NOW it was recorded and how late that was."""
    return [
        Recorded(uuid4(), uuid4(), "order", version, version, NOW + at, OrderDelivered(), about(NOW + at - late))
        for version, (at, late) in enumerate(moments, start=1)
    ]


def about(occurred_at: datetime) -> Metadata:
    return metadata(occurred_at=occurred_at)


@pytest.mark.parametrize(
    "moments",
    [
        [],
        [(NONE, DAY)],
        [(NONE, NONE), (HOUR, NONE)],
        [(NONE, DAY), (MINUTE, NONE)],
        [(NONE, DAY), (NONE, HOUR - MINUTE)],
        [(NONE, DAY), (HOUR, DAY)],
        [(NONE, -DAY), (NONE, -DAY)],
    ],
)
def test_no_backfill(moments: list[tuple[timedelta, timedelta]]) -> None:
    assert backfill(history(*moments)) is None


def test_an_import() -> None:
    told = backfill(history((NONE, 9 * DAY), (NONE, 2 * DAY), (MINUTE, 5 * DAY)))
    assert told is not None
    assert (told.first_occurred_at, told.last_occurred_at) == (NOW - 9 * DAY, NOW - 2 * DAY)
    assert (told.span, told.delay, told.recorded_at) == (7 * DAY, 2 * DAY, NOW)
