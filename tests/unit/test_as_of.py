"""As-of and transitions: the part of a stream that was there, and what each event did."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlib.events import Event, Recorded
from eventlib.orders import ORDER
from eventlib.orders import events as e
from eventlib.orders.order import Order
from eventlib.temporal.as_of import (
    AtInstant,
    AtVersion,
    InvalidAsOf,
    Now,
    as_of,
    as_of_recorded,
    as_of_version,
    parse_as_of,
)
from eventlib.temporal.durations import in_words
from eventlib.temporal.transitions import replay
from tests.orders import USER, metadata

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)


def stream(*minutes: float, events: list[Event] | None = None) -> list[Recorded[Event]]:
    """A stream whose events were recorded so many minutes after noon, in order of version."""
    order_id = UUID(int=1)
    told = events or [e.OrderFulfilmentStarted()] * len(minutes)
    return [
        Recorded(uuid4(), order_id, "order", version, version * 10, NOON + timedelta(minutes=minute), event, metadata())
        for version, (minute, event) in enumerate(zip(minutes, told), 1)
    ]


def versions(events: object) -> list[int]:
    return [recorded.version for recorded in events]  # type: ignore[attr-defined]


def test_now_is_everything() -> None:
    assert versions(as_of(stream(0, 1, 2), Now())) == [1, 2, 3]


def test_a_version_is_included() -> None:
    assert versions(as_of(stream(0, 1, 2), AtVersion(2))) == [1, 2]


@pytest.mark.parametrize("version", [0, -1, 4])
def test_a_version_that_never_was(version: int) -> None:
    with pytest.raises(InvalidAsOf, match="the last one is 3"):
        as_of_version(stream(0, 1, 2), version)


def test_an_instant_includes_what_was_recorded_at_it() -> None:
    events = stream(0, 1, 2)
    assert versions(as_of(events, AtInstant(NOON + timedelta(minutes=1)))) == [1, 2]
    assert versions(as_of_recorded(events, NOON - timedelta(microseconds=1))) == []


def test_an_instant_never_leaves_a_hole_when_a_clock_went_back() -> None:
    events = stream(0, 5, 2, 6)
    # Version 3 bears a time before 4, but stands behind version 2, which does not.
    assert versions(as_of_recorded(events, NOON + timedelta(minutes=4))) == [1]
    assert versions(as_of_recorded(events, NOON + timedelta(minutes=5))) == [1, 2, 3]


def test_an_instant_needs_a_zone() -> None:
    with pytest.raises(InvalidAsOf, match="no time zone"):
        as_of_recorded(stream(0), datetime(2025, 3, 1))  # noqa: DTZ001


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=12), st.integers(-60, 60))
def test_an_instant_gives_the_longest_beginning(minutes: list[int], cut: int) -> None:
    events, instant = stream(*minutes), NOON + timedelta(minutes=cut)
    kept = list(as_of_recorded(events, instant))

    assert kept == events[: len(kept)]
    assert all(recorded.recorded_at <= instant for recorded in kept)
    assert len(kept) == len(events) or events[len(kept)].recorded_at > instant


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Now()),
        ("  ", Now()),
        ("7", AtVersion(7)),
        ("007", AtVersion(7)),
        ("2025-03-01T12:00:00Z", AtInstant(NOON)),
        (" 2025-03-01 13:00:00+01:00 ", AtInstant(NOON)),
    ],
)
def test_reading_an_as_of(text: str, expected: object) -> None:
    assert parse_as_of(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0", "versions start at 1"),
        ("-1", "neither a version"),
        ("1.5", "neither a version"),
        ("yesterday", "neither a version"),
        ("2025-03-01T12:00:00", "add Z for UTC"),
        ("2025-03-01", "add Z for UTC"),
        ("0001-01-01T00:00:00+14:00", "outside of the years"),
        ("９", "neither a version"),
    ],
)
def test_what_is_no_as_of(text: str, message: str) -> None:
    with pytest.raises(InvalidAsOf, match=message):
        parse_as_of(text)


def test_each_event_stands_between_two_states() -> None:
    events = [e.OrderPlaced(USER, "EUR"), e.OrderItemAdded("LAMP-7", 1, 4999, "x"), e.OrderItemRemoved("LAMP-7", "x")]
    replayed = replay(ORDER, stream(0, 1, 2, events=list(events)))

    totals = [(step.before.total_cents, step.after.total_cents) for step in replayed.transitions]
    assert totals == [(0, 0), (0, 4999), (4999, 0)]
    assert replayed.state == ORDER.fold(events) and replayed.broken_by is None


def test_a_replay_ends_at_the_event_that_cannot_be_folded() -> None:
    def brittle(order: Order, event: Event) -> Order:
        if isinstance(event, e.OrderItemQuantityChanged):
            raise KeyError(event.sku)
        return ORDER.evolve(order, event)

    events = [e.OrderPlaced(USER, "EUR"), e.OrderItemQuantityChanged("GHOST", 2, "x"), e.OrderCancelled("x")]
    replayed = replay(replace(ORDER, evolve=brittle), stream(0, 1, 2, events=list(events)))

    assert [step.recorded.version for step in replayed.transitions] == [1]
    assert replayed.broken_by == 2 and "GHOST" in (replayed.problem or "")


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (timedelta(0), "0 ms"),
        (timedelta(milliseconds=999.9), "999 ms"),
        (timedelta(seconds=1.79), "1.7 s"),
        (timedelta(seconds=59.9), "59 s"),
        (timedelta(minutes=9, seconds=5), "9 min 5 s"),
        (timedelta(hours=1), "1 h"),
        (timedelta(days=3, hours=4, minutes=5), "3 d 4 h"),
        (timedelta(days=365 * 8 + 40), "8 y 40 d"),
        (timedelta(minutes=-5), "−5 min"),
    ],
)
def test_durations_in_words(duration: timedelta, words: str) -> None:
    assert in_words(duration) == words
