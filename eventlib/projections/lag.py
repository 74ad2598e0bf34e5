"""How fresh the read model of orders was kept: from append to visible."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from eventlib.store.connection import Connection
from eventlib.store.queries import query


@dataclass(frozen=True)
class Lag:
    """From the start of an event's transaction to its being written to the read model.

    Attributes:
        orders: how many orders were looked at, each by its newest event.
        median_ms: of them, in milliseconds.
        p99_ms: the 99th percentile, in milliseconds.
    """

    orders: int
    median_ms: float
    p99_ms: float


def projection_lag(connection: Connection, since: datetime) -> Lag | None:
    """The lag of the orders written since an instant of the database's clock; None when there are none."""
    orders, percentiles = connection.execute(query("projection_lag"), {"since": since}).fetchall()[0]
    return Lag(orders, *map(float, percentiles)) if orders else None


def database_clock(connection: Connection) -> datetime:
    """The time by the database's clock."""
    now: datetime = connection.execute(query("clock")).fetchall()[0][0]
    return now
