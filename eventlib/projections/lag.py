"""How fresh a read model was kept: from append to visible."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eventlib.projection import Projection
from eventlib.projections.statements import statement
from eventlib.store.connection import Connection


@dataclass(frozen=True)
class Lag:
    """From the start of an event's transaction to its being written to the read model.

    Attributes:
        aggregates: how many were looked at, each by its newest event.
        median_ms: of them, in milliseconds.
        p99_ms: the 99th percentile, in milliseconds.
    """

    aggregates: int
    median_ms: float
    p99_ms: float


def projection_lag(connection: Connection, projection: Projection[Any], since: datetime) -> Lag | None:
    """The lag of the aggregates written since an instant of the database's clock; None when there are none."""
    rows = connection.execute(statement("projection_lag", projection), {"since": since}).fetchall()
    aggregates, percentiles = rows[0]
    return Lag(aggregates, *map(float, percentiles)) if aggregates else None
