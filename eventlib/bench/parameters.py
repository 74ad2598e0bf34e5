"""Lists of numbers as people write them on a command line or in a notebook."""

from __future__ import annotations

from eventlib.bench.interval_cost import Interval
from eventlib.errors import ReportError

LONGEST = 100_000


def parsed_lengths(text: str) -> list[int]:
    """Lengths of orders, such as `50,200`, in ascending order and each once.

    >>> parsed_lengths("200, 50,50")
    [50, 200]

    Raises:
        ReportError: it is something else.
    """
    try:
        lengths = sorted({int(part) for part in text.split(",")})
    except ValueError:
        raise ReportError(f"lengths {text!r}: give numbers of events separated by commas, such as 50,200") from None
    if lengths[0] < 1 or lengths[-1] > LONGEST:
        raise ReportError(f"lengths {text!r}: an order has from 1 to {LONGEST:,} events here")
    return lengths


def parsed_intervals(text: str) -> list[Interval]:
    """Snapshot intervals, such as `10,50,none`: in ascending order, each once, and none at the end.

    >>> parsed_intervals("none,50,10")
    [10, 50, None]

    Raises:
        ReportError: it is something else.
    """
    parts = {part.strip().lower() for part in text.split(",")}
    try:
        intervals: list[Interval] = [*sorted(int(part) for part in parts - {"none"})]
    except ValueError:
        raise ReportError(
            f"intervals {text!r}: give numbers of events separated by commas, and none for no snapshots, such as 10,50,none"
        ) from None
    if any(every is not None and not 1 <= every <= LONGEST for every in intervals):
        raise ReportError(f"intervals {text!r}: from 1 to {LONGEST:,} events")
    return [*intervals, None] if "none" in parts else intervals
