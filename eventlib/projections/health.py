"""Is a projection what its readers were promised? Told from the database alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from eventlib.projection import Projection
from eventlib.projections.lag_histogram import LagHistogram, merged
from eventlib.projections.lag_record import lag_by_minute
from eventlib.projections.missed import missed_counts
from eventlib.projections.parking import Parked, parked
from eventlib.projections.statements import statement
from eventlib.projections.tables import table_of
from eventlib.store.connection import Connection

LOOKED_AT = 1_000


@dataclass(frozen=True)
class ProjectionHealth:
    """How a projection has been doing.

    Attributes:
        name: of the projection.
        lag: of the events that became visible in the time looked at.
        by_minute: the same by the minute in which they did.
        looked_at: how many of the newest events of the log, at most 1,000, have had time to become visible.
        unseen: how many of these have not, though their aggregate is not parked.
        unseen_s: for how long the oldest of them has waited, in seconds.
        parked: aggregates that were left behind.
        missed: messages that were gone before it had read them, since it was last rebuilt.
        paused_since: if somebody has had it rest.
        table_version: None if it has no table.
        wanted_version: of the fold that is at hand.
    """

    name: str
    lag: LagHistogram
    by_minute: dict[datetime, LagHistogram]
    looked_at: int
    unseen: int
    unseen_s: float
    parked: list[Parked]
    missed: int
    paused_since: datetime | None
    table_version: int | None
    wanted_version: int


def projection_health(
    connection: Connection, projections: list[Projection[Any]], since: timedelta, within: timedelta
) -> list[ProjectionHealth]:
    """Look at projections.

    Args:
        since: how far to look back for the lag.
        within: how much time an event has to become visible.
    """
    minutes = lag_by_minute(connection, since)
    found = []
    missed = missed_counts(connection, [projection.name for projection in projections])
    for projection in projections:
        table = table_of(connection, projection)
        looked_at, unseen, unseen_s = 0, 0, 0.0
        if table is not None:
            wanted = {
                "aggregate_type": projection.aggregate.name,
                "projection": projection.name,
                "within": within,
                "limit": LOOKED_AT,
            }
            row = connection.execute(statement("projection_recent", projection), wanted).fetchall()[0]
            looked_at, unseen, unseen_s = row
        by_minute = dict(minutes.get(projection.name, {}))
        found.append(
            ProjectionHealth(
                name=projection.name,
                lag=merged(by_minute.values()),
                by_minute=by_minute,
                looked_at=looked_at,
                unseen=unseen,
                unseen_s=unseen_s,
                parked=parked(connection, projection.name),
                missed=missed.get(projection.name, 0),
                paused_since=table.paused_since if table else None,
                table_version=table.version if table else None,
                wanted_version=projection.version,
            )
        )
    return found
