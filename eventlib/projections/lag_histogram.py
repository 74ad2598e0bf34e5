"""How long events took to become visible, as counts below bounds. Pure."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

PROMISE_MS = 200
"""What a client is promised: an event is visible so many milliseconds after it was written."""

BOUNDS_MS = (
    *(1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 75, 100, 150, PROMISE_MS, 300, 500),
    *(1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 3_600_000),
)
"""Upper bounds of the classes, in milliseconds; what took longer than the last is in a class without one."""

UNBOUNDED_MS = 2**31 - 1


def bound_of(lag_ms: float) -> int:
    """The smallest bound that a lag does not exceed.

    >>> bound_of(0.2), bound_of(12), bound_of(12.1), bound_of(10**8)
    (1, 12, 15, 2147483647)
    """
    index = bisect.bisect_left(BOUNDS_MS, lag_ms)
    return BOUNDS_MS[index] if index < len(BOUNDS_MS) else UNBOUNDED_MS


@dataclass
class LagHistogram:
    """Events by the smallest bound that their lag does not exceed, and all their lags together, in milliseconds."""

    counts: Counter[int] = field(default_factory=Counter)
    total_ms: float = 0.0

    @property
    def events(self) -> int:
        """How many were counted."""
        return self.counts.total()

    def add(self, lag_ms: float) -> None:
        """Count one event."""
        self.counts[bound_of(lag_ms)] += 1
        self.total_ms += lag_ms

    def quantile(self, part: float) -> float | None:
        """The lag in milliseconds that so large a part of the events did not exceed, as far as the bounds can tell.

        Within a class events count as evenly spread, as in Prometheus' `histogram_quantile`. None without events; above the
        last bound only that bound is known.

        >>> LagHistogram(Counter({10: 50, 20: 50})).quantile(0.75)
        17.5
        """
        if not self.events:
            return None
        wanted, seen = part * self.events, 0
        for bound, count in sorted(self.counts.items()):
            if seen + count >= wanted and count:
                if bound == UNBOUNDED_MS:
                    break
                lower = max((one for one in BOUNDS_MS if one < bound), default=0)
                return lower + (bound - lower) * (wanted - seen) / count
            seen += count
        return float(BOUNDS_MS[-1])

    def within(self, bound_ms: int) -> float | None:
        """The part of the events that took at most `bound_ms`, which is one of the bounds; None without events."""
        if not self.events:
            return None
        return sum(count for bound, count in self.counts.items() if bound <= bound_ms) / self.events


def merged(histograms: Iterable[LagHistogram]) -> LagHistogram:
    """All of them as one."""
    whole = LagHistogram()
    for one in histograms:
        whole.counts.update(one.counts)
        whole.total_ms += one.total_ms
    return whole
