"""Reading a row of a read model: with its ETag, and with how stale it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from eventlib.projection import Projection
from eventlib.projections.staleness import Staleness, staleness
from eventlib.projections.statements import statement
from eventlib.store.connection import Connection


@dataclass(frozen=True)
class ProjectionRead:
    """One row.

    Attributes:
        row: its columns but the time of projection, as JSON values.
        version: of the aggregate, up to which the row knows it.
        projected_at: when it was written, in UTC.
        etag: a strong entity tag (RFC 9110, section 8.8.3): another one for every version of the aggregate, and for every
            table that has taken the place of the one before, whatever code asks.
        staleness: what the row does not show yet.
    """

    row: dict[str, Any]
    version: int
    projected_at: datetime
    etag: str
    staleness: Staleness


def read_row(connection: Connection, projection: Projection[Any], aggregate_id: UUID) -> ProjectionRead | None:
    """The row of an aggregate; None when there is none, which may mean that it has not been projected yet."""
    # The table says by itself what has made it: the code that reads may be older or newer.
    asked = {"key": aggregate_id, "projection": projection.name}
    found = connection.execute(statement("projection_row", projection), asked).fetchone()
    if found is None:
        return None
    row, projected_at, made_by, generation = found
    version: int = row["last_event_version"]
    etag = f'"{projection.name}-{made_by}-{generation}-{version}"'
    return ProjectionRead(row, version, projected_at, etag, staleness(connection, aggregate_id, version))
