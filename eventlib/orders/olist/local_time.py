"""The timestamps of the source: São Paulo's local time in two formats, turned into UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from eventlib.orders.olist.quirks import Quirk

SAO_PAULO = ZoneInfo("America/Sao_Paulo")

_MONTH_FIRST = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4}) ([0-9]{1,2}):([0-9]{2})")
_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})")


@dataclass(frozen=True)
class Moment:
    """A point in time that the source tells.

    Attributes:
        at: in UTC.
        quirk: why the local time did not name one point in time, if it did not.
        note: how it was read then, for the reason of an event.
    """

    at: datetime
    quirk: Quirk | None = None
    note: str | None = None


def moment_of(text: str) -> Moment:
    """The moment of a timestamp such as `10/2/2017 10:56` or `2017-10-02 10:56:33`.

    A time that the clocks skipped is read with the offset before the change; one that they showed twice is the earlier.

    Raises:
        ValueError: it has neither format, or names no date or time of day.
    """
    local = _naive(text).replace(tzinfo=SAO_PAULO)
    before, after = local.utcoffset(), local.replace(fold=1).utcoffset()
    assert before is not None and after is not None
    try:
        at = local.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is beyond the calendar") from None
    if before == after:
        return Moment(at)
    if before < after:
        return Moment(
            at, Quirk.LOCAL_TIME_SKIPPED, f"clocks skipped the local time {text}: read with the offset before"
        )
    return Moment(at, Quirk.LOCAL_TIME_TWICE, f"clocks showed the local time {text} twice: the earlier is taken")


def _naive(text: str) -> datetime:
    if match := _ISO.fullmatch(text):
        year, month, day, hour, minute, second = map(int, match.groups())
    elif match := _MONTH_FIRST.fullmatch(text):
        month, day, year, hour, minute = map(int, match.groups())
        second = 0
    else:
        raise ValueError(f"{text!r} is neither M/D/YYYY H:MM nor YYYY-MM-DD HH:MM:SS")
    try:
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  the caller knows the zone
    except ValueError as error:
        raise ValueError(f"{text!r} is no time: {error}") from None
