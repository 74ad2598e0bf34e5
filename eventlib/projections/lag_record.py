"""The lag of every event from being written to being visible, kept by projection, minute and partition."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from eventlib.projections.lag_histogram import LagHistogram
from eventlib.store.connection import Connection
from eventlib.store.queries import query

FLUSH_S = 1.0
KEPT = timedelta(days=7)
FORGET_S = 3600.0


class LagRecord:
    """What one projector has measured and not yet written down; at most a second of it is lost in a crash."""

    def __init__(self, projection: str) -> None:
        self._projection = projection
        self._measured: dict[tuple[datetime, int], LagHistogram] = defaultdict(LagHistogram)
        self._flushed = time.monotonic()
        self._forgot: float | None = None

    def add(self, visible_at: datetime, written: Iterable[tuple[int, datetime]]) -> None:
        """Count events that have become visible.

        Args:
            visible_at: by the database's clock.
            written: of each event the partition and when its transaction began, by the same clock.
        """
        minute = visible_at.replace(second=0, microsecond=0)
        for partition, recorded_at in written:
            lag_ms = (visible_at - recorded_at).total_seconds() * 1000
            self._measured[minute, partition].add(lag_ms)

    @property
    def due(self) -> bool:
        """Whether there is something to write down, and the last time was a second ago."""
        return bool(self._measured) and time.monotonic() - self._flushed >= FLUSH_S

    def flush(self, connection: Connection) -> None:
        """Write down what was measured, in a transaction of its own; what is older than a week is forgotten."""
        if self._measured:
            measured = [
                {"minute": minute, "partition": partition, "up_to_ms": bound, "events": count, "total_ms": total_ms}
                for (minute, partition), histogram in sorted(self._measured.items(), key=lambda item: item[0])
                for bound, count, total_ms in _rows(histogram)
            ]
            parameters = {"projection": self._projection, "measured": msgspec.json.encode(measured).decode()}
            connection.execute(query("lag_write"), parameters)
            self._measured.clear()
        self._flushed = time.monotonic()
        if self._forgot is None or self._flushed - self._forgot >= FORGET_S:
            connection.execute(query("lag_forget"), {"kept": KEPT})
            self._forgot = self._flushed


def _rows(histogram: LagHistogram) -> Iterable[tuple[int, int, float]]:
    # The sum belongs to all classes together; it is written beside the first.
    total_ms = histogram.total_ms
    for bound, count in sorted(histogram.counts.items()):
        yield bound, count, total_ms
        total_ms = 0.0


def lag_since(connection: Connection, since: timedelta) -> dict[str, dict[int, LagHistogram]]:
    """The lag within the last minutes, by projection and partition; of minutes that have begun before, all."""
    return _gathered(connection, "lag_read", since)


def lag_by_minute(connection: Connection, since: timedelta) -> dict[str, dict[datetime, LagHistogram]]:
    """The lag within the last minutes, by projection and minute."""
    return _gathered(connection, "lag_minutes", since)


def _gathered(connection: Connection, name: str, since: timedelta) -> dict[str, dict[Any, LagHistogram]]:
    """Histograms by projection and by the second column of a statement."""
    found: dict[str, dict[Any, LagHistogram]] = defaultdict(lambda: defaultdict(LagHistogram))
    for projection, key, bound, events, total_ms in connection.execute(query(name), {"since": since}):
        histogram = found[projection][key]
        histogram.counts[bound] += events
        histogram.total_ms += total_ms
    return found
