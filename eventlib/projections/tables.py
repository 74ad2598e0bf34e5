"""The tables of projections: made once, by who owns the schema, and known by the version of the fold that filled them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql

from eventlib.errors import ProjectionError
from eventlib.projection import Projection
from eventlib.projections.statements import statement
from eventlib.store.connection import Connection
from eventlib.store.queries import query


@dataclass(frozen=True)
class ProjectionTable:
    """Which version of the fold has made a projection's table, and since when the projection is paused, if it is."""

    version: int
    paused_since: datetime | None


def ensure_tables(connection: Connection, projections: Iterable[Projection[Any]]) -> list[str]:
    """Make the tables that are missing, with what the application may do to them; those that are there stay as they are.

    Args:
        connection: of the role that owns the schema.

    Returns:
        The names of those that were made.
    """
    made = []
    for projection in projections:
        with connection.transaction():
            connection.execute(query("projection_registry_lock"))
            if table_of(connection, projection) is None:
                table = sql.Identifier(projection.name)
                connection.execute(sql.SQL(projection.definition).format(table=table))
                connection.execute(statement("projection_grant", projection))
                connection.execute(
                    query("projection_register"), {"projection": projection.name, "version": projection.version}
                )
                made.append(projection.name)
    return made


def pause(connection: Connection, projection: Projection[Any], paused: bool) -> None:
    """Have a projection rest, or go on. A projector notices within a second; what it has consumed by then, it applies.

    Raises:
        ProjectionError: it has no table yet.
    """
    parameters = {"projection": projection.name, "paused": paused}
    if connection.execute(query("projection_pause"), parameters).fetchone() is None:
        raise _without_table(projection)


def check_table(connection: Connection, projection: Projection[Any]) -> bool:
    """Refuse to go on with a table of another version of the fold; whether somebody has had the projection rest.

    Raises:
        ProjectionError: there is no table, or another version has made it.
    """
    table = table_of(connection, projection)
    if table is None:
        raise _without_table(projection)
    if table.version != projection.version:
        raise ProjectionError(
            f"the table of projection {projection.name} was made by version {table.version} of it, and this is version "
            f"{projection.version}: run `eventlib projections rebuild {projection.name}`"
        )
    return table.paused_since is not None


def table_of(connection: Connection, projection: Projection[Any]) -> ProjectionTable | None:
    """What is known of the table; None without one."""
    row = connection.execute(query("projection_version"), {"projection": projection.name}).fetchone()
    return ProjectionTable(*row) if row else None


def _without_table(projection: Projection[Any]) -> ProjectionError:
    return ProjectionError(f"projection {projection.name} has no table yet: run `eventlib init`")
