"""Durations in words, in their two largest units."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

_UNITS = (("y", 365 * 86_400), ("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def in_words(duration: timedelta) -> str:
    """A duration as people say it; A year is 365 days. Never rounded up.

    >>> in_words(timedelta(hours=9, minutes=12, seconds=5)), in_words(timedelta(days=3)), in_words(timedelta(seconds=0.5))
    ('9 h 12 min', '3 d', '500 ms')
    """
    if duration < timedelta(0):
        return f"\N{MINUS SIGN}{in_words(-duration)}"
    if duration < timedelta(seconds=1):
        return f"{duration // timedelta(milliseconds=1)} ms"
    if duration < timedelta(seconds=10):
        return f"{duration // timedelta(milliseconds=100) / 10} s"
    left = int(duration.total_seconds())
    for (unit, size), (smaller_unit, smaller) in pairwise(_UNITS):
        if left >= size:
            rest = left % size // smaller
            return f"{left // size:,} {unit}" + (f" {rest} {smaller_unit}" if rest else "")
    return f"{left} s"
