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
        etag: a strong entity tag (RFC 9110, section 8.8.3): the same as long as the same events make the same row.
        staleness: what the row does not show yet.
    """

    row: dict[str, Any]
    version: int
    projected_at: datetime
    etag: str
    staleness: Staleness


def read_row(connection: Connection, projection: Projection[Any], aggregate_id: UUID) -> ProjectionRead | None:
    """The row of an aggregate; None when there is none, which may mean that it has not been projected yet."""
    found = connection.execute(statement("projection_rows", projection), {"keys": [aggregate_id]}).fetchone()
    if found is None:
        return None
    _, row, projected_at = found
    version: int = row["last_event_version"]
    return ProjectionRead(
        row, version, projected_at, etag(projection, version), staleness(connection, aggregate_id, version)
    )


def etag(projection: Projection[Any], version: int) -> str:
    """The entity tag of a row at a version of its aggregate; another version of the fold makes another one."""
    return f'"{projection.name}-{projection.version}-{version}"'
