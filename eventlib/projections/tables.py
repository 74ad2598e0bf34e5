"""The tables of projections: made once, by who owns the schema, and known by the version of the fold that filled them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from psycopg import sql

from eventlib.errors import ProjectionError
from eventlib.projection import Projection
from eventlib.store.connection import Connection
from eventlib.store.queries import query


def create_table(connection: Connection, projection: Projection[Any], table: str) -> None:
    """Make an empty table after a projection's definition, with what the application may do to it.

    Args:
        connection: of the role that owns the schema.
        table: its name.
    """
    name = sql.Identifier(table)
    connection.execute(sql.SQL(projection.definition).format(table=name))
    connection.execute(sql.SQL(query("projection_grant")).format(table=name))


def ensure_tables(connection: Connection, projections: Iterable[Projection[Any]]) -> list[str]:
    """Make the tables that are missing; those that are there stay as they are.

    Args:
        connection: of the role that owns the schema.

    Returns:
        The names of those that were made.
    """
    made = []
    for projection in projections:
        with connection.transaction():
            connection.execute(query("projection_registry_lock"))
            if built_version(connection, projection) is None:
                create_table(connection, projection, projection.name)
                connection.execute(
                    query("projection_register"), {"projection": projection.name, "version": projection.version}
                )
                made.append(projection.name)
    return made


def built_version(connection: Connection, projection: Projection[Any]) -> int | None:
    """Which version of a projection its table was made by; None if it has none yet."""
    row = connection.execute(query("projection_version"), {"projection": projection.name}).fetchone()
    return None if row is None else row[0]


def is_paused(connection: Connection, projection: Projection[Any]) -> bool:
    """Whether somebody has had the projection rest."""
    row = connection.execute(query("projection_version"), {"projection": projection.name}).fetchone()
    return row is not None and row[1] is not None


def pause(connection: Connection, projection: Projection[Any], paused: bool) -> None:
    """Have a projection rest, or go on. A projector notices within a second; what it has consumed by then, it applies.

    Raises:
        ProjectionError: it has no table yet.
    """
    parameters = {"projection": projection.name, "paused": paused}
    if connection.execute(query("projection_pause"), parameters).fetchone() is None:
        raise ProjectionError(f"projection {projection.name} has no table yet: run `eventlib init`")


def check_version(connection: Connection, projection: Projection[Any]) -> None:
    """Refuse to go on with a table of another version of the fold.

    Raises:
        ProjectionError: there is no table, or another version has made it.
    """
    built = built_version(connection, projection)
    if built is None:
        raise ProjectionError(f"projection {projection.name} has no table yet: run `eventlib init`")
    if built != projection.version:
        raise ProjectionError(
            f"the table of projection {projection.name} was made by version {built} of it, and this is version "
            f"{projection.version}: run `eventlib projections rebuild {projection.name}`"
        )
