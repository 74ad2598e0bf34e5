"""As-of: the part of a stream that was there at an earlier version, or at an earlier instant. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from eventlib.events import Event, Recorded

E = TypeVar("E", bound=Event)


class InvalidAsOf(ValueError):
    """An as-of cannot be understood, or asks for what a stream cannot answer; the message says what to write instead."""


@dataclass(frozen=True)
class Now:
    """All that is recorded."""

    def __str__(self) -> str:
        return "now"


@dataclass(frozen=True)
class AtVersion:
    """After the event of this version, 1 or more."""

    version: int

    def __str__(self) -> str:
        return f"version {self.version}"


@dataclass(frozen=True)
class AtInstant:
    """What was recorded at this instant, in UTC."""

    instant: datetime

    def __str__(self) -> str:
        return f"{self.instant:%Y-%m-%d %H:%M:%S.%f}".rstrip("0").rstrip(".") + " UTC"


AsOf = Now | AtVersion | AtInstant

_VERSION = re.compile(r"[0-9]{1,10}")


def parse_as_of(text: str) -> AsOf:
    """Read an as-of as people write it.

    >>> str(parse_as_of("")), str(parse_as_of("7")), str(parse_as_of("2025-03-01T12:00:00+01:00"))
    ('now', 'version 7', '2025-03-01 11:00:00 UTC')

    Args:
        text: empty for now, a version number, or an instant in ISO 8601 with a time zone. An instant without one is
            refused: what was known at noon differs by who guesses the zone.

    Raises:
        InvalidAsOf: it is none of these.
    """
    text = text.strip()
    if not text:
        return Now()
    if _VERSION.fullmatch(text):
        if int(text) == 0:
            raise InvalidAsOf("as-of version 0 is before the first event: versions start at 1")
        return AtVersion(int(text))
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidAsOf(
            f"as-of {text!r} is neither a version such as 7 nor an instant such as 2025-03-01T12:00:00Z"
        ) from None
    if instant.tzinfo is None:
        raise InvalidAsOf(f"as-of {text!r} has no time zone: add Z for UTC, or an offset such as +01:00")
    try:
        return AtInstant(instant.astimezone(UTC))
    except OverflowError:
        raise InvalidAsOf(f"as-of {text!r} is outside of the years 1 to 9999 in UTC") from None


def as_of(events: Sequence[Recorded[E]], point: AsOf) -> Sequence[Recorded[E]]:
    """The events of a stream that were there at `point`.

    Raises:
        InvalidAsOf: `point` is a version that the stream does not have.
    """
    match point:
        case Now():
            return events
        case AtVersion(version):
            return as_of_version(events, version)
        case AtInstant(instant):
            return as_of_recorded(events, instant)


def as_of_version(events: Sequence[Recorded[E]], version: int) -> Sequence[Recorded[E]]:
    """The events of a stream up to and including `version`.

    Raises:
        InvalidAsOf: the stream has no such version: an answer would be about something that never was.
    """
    last = events[-1].version if events else 0
    if not 1 <= version <= last:
        raise InvalidAsOf(f"there is no version {version}: the last one is {last}")
    return [recorded for recorded in events if recorded.version <= version]


def as_of_recorded(events: Sequence[Recorded[E]], instant: datetime) -> Sequence[Recorded[E]]:
    """The longest beginning of a stream of which every event was recorded at or before `instant`.

    Versions alone decide the order. A time of recording is when a transaction began, and of two transactions the one
    that began first may have appended last: version 8 can bear an earlier time than version 7. Filtering by time would
    then give a stream with a hole, and a state that never was. A beginning without holes is a state that was.

    Args:
        instant: with a time zone.

    Raises:
        InvalidAsOf: `instant` has no time zone.
    """
    if instant.tzinfo is None:
        raise InvalidAsOf(f"as-of {instant} has no time zone")
    for index, recorded in enumerate(events):
        if recorded.recorded_at > instant:
            return events[:index]
    return events
