"""What a timeline shows: events as moments, the lanes that they are in, and the finding that is its title. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from eventlib.temporal.backfill import Backfill
from eventlib.temporal.durations import in_words

NOTEWORTHY_DELAY = timedelta(minutes=1)
"""An event that was recorded further than this from when it happened is shown at both times. Clocks differ by less."""

MAX_LANES = 8
OTHERS = "others"

_IDENTIFIER = re.compile(r"\S*\d\S*|[0-9a-f-]{6,}")


@dataclass(frozen=True)
class Moment:
    """One event on a timeline.

    Attributes:
        version: of the event.
        recorded_at: in UTC.
        occurred_at: in UTC.
        lane: the kind of actor.
        label: a few words.
        weight: the higher, the sooner it gets its label; with 2 it keeps its place when a long history is folded.
    """

    version: int
    recorded_at: datetime
    occurred_at: datetime
    lane: str
    label: str
    weight: int = 0

    @property
    def delay(self) -> timedelta:
        """From happening to being recorded; negative when it claims to have happened after that."""
        return self.recorded_at - self.occurred_at

    @property
    def is_apart(self) -> bool:
        """Whether happening and recording are two moments."""
        return abs(self.delay) > NOTEWORTHY_DELAY


def is_told_later(moments: Sequence[Moment]) -> bool:
    """Whether most events were recorded apart from when they happened, as after an import."""
    return sum(moment.is_apart for moment in moments) > len(moments) / 2


def lane_of(actor: str) -> str:
    """The kind of an actor: its name without what tells one of a kind from another.

    >>> lane_of("customer 7f3c"), lane_of("payment service"), lane_of("seller 3504c0cb"), lane_of("7f3c")
    ('customer', 'payment service', 'seller', '7f3c')
    """
    words = actor.split()
    while len(words) > 1 and _IDENTIFIER.fullmatch(words[-1]):
        words.pop()
    return " ".join(words)


def lanes(moments: Sequence[Moment]) -> list[str]:
    """The lanes in the order in which they first act; when there are more than `MAX_LANES`, the busiest and `others`."""
    seen = list(dict.fromkeys(moment.lane for moment in moments))
    if len(seen) <= MAX_LANES:
        return seen
    busiest = {lane for lane, _ in Counter(moment.lane for moment in moments).most_common(MAX_LANES - 1)}
    return [lane for lane in seen if lane in busiest] + [OTHERS]


def finding(moments: Sequence[Moment]) -> str:
    """The title of the timeline: what it shows about happening and being recorded."""
    apart = [moment for moment in moments if moment.is_apart]
    number = len(moments)
    if not apart:
        return (
            "The event was" if number == 1 else f"All {number:,} events were"
        ) + " recorded within a minute of happening"
    worst = max(apart, key=lambda moment: abs(moment.delay))
    if len(apart) == number > 1 and worst.delay > timedelta(0):
        return (
            f"All {number:,} events were recorded more than a minute after they happened, up to {in_words(worst.delay)}"
        )
    rest = "; everything else within a minute" if number > 1 else ""
    if len(apart) == 1:
        return f"Event {worst.version:,} ({worst.label}) was recorded {_late(worst)}{rest}"
    return (
        f"{len(apart):,} of {number:,} events were recorded more than a minute from when they happened; "
        f"event {worst.version:,} ({worst.label}) {_late(worst)}"
    )


def finding_of_backfill(told: Backfill) -> str:
    """The title of the timeline of a history that was recorded in one go."""
    return (
        f"It happened within {in_words(told.span)} and was recorded in one go on {told.recorded_at:%-d %b %Y}, "
        f"{in_words(told.delay)} after the last of it"
    )


def narration(moments: Sequence[Moment], verb: str = "recorded") -> str:
    """The timeline in words, for those who do not see it.

    Args:
        verb: what the events did at their `recorded_at`: of a backfill it holds the time when they occurred.
    """
    first, last = moments[0], moments[-1]
    number = f"{len(moments):,} event" + ("s" if len(moments) > 1 else "")
    in_lanes = ", ".join(lanes(moments))
    apart = [
        f"event {moment.version} ({moment.label}) was recorded {_late(moment)}" for moment in moments if moment.is_apart
    ]
    shown = "; ".join(apart[:5]) + (f"; and {len(apart) - 5:,} more" if len(apart) > 5 else "")
    return (
        f"Timeline of {number} by {in_lanes}, {verb} from {first.recorded_at:%-d %B %Y %H:%M} "
        f"to {last.recorded_at:%-d %B %Y %H:%M} UTC." + (f" {shown[0].upper()}{shown[1:]}." if shown else "")
    )


def _late(moment: Moment) -> str:
    direction = "after" if moment.delay > timedelta(0) else "before"
    return f"{in_words(abs(moment.delay))} {direction} it happened"
