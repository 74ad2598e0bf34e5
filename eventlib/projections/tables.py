"""The tables of projections: made once, by who owns the schema, and known by the version of the fold that filled them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import sql

from eventlib.errors import TableNotReady
from eventlib.projection import Projection
from eventlib.projections.statements import statement
from eventlib.store.array_text import array_text
from eventlib.store.connection import Connection
from eventlib.store.queries import query


@dataclass(frozen=True)
class ProjectionTable:
    """What is known of a projection's table.

    Attributes:
        version: of the fold that has made it.
        paused_since: when somebody had the projection rest, if it rests.
        generation: how often the table was changed for another one, and one more.
    """

    version: int
    paused_since: datetime | None
    generation: int


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
                make_table(connection, projection)
                made.append(projection.name)
    return made


def make_table(connection: Connection, projection: Projection[Any]) -> None:
    """Make a projection's table, let the application use it, and record which version has made it."""
    connection.execute(sql.SQL(projection.definition).format(table=sql.Identifier(projection.name)))
    connection.execute(statement("projection_grant", projection))
    connection.execute(query("projection_register"), {"projection": projection.name, "version": projection.version})


def pause(connection: Connection, projection: Projection[Any], paused: bool) -> None:
    """Have a projection rest, or go on. A projector notices within a second; what it has consumed by then, it applies.

    Raises:
        TableNotReady: it has no table yet.
    """
    parameters = {"projection": projection.name, "paused": paused}
    if connection.execute(query("projection_pause"), parameters).fetchone() is None:
        raise _without_table(projection)


def check_table(connection: Connection, projection: Projection[Any]) -> ProjectionTable:
    """What is known of the table; refuses one of another version of the fold.

    Raises:
        TableNotReady: there is no table, or another version has made it.
    """
    table = table_of(connection, projection)
    if table is None:
        raise _without_table(projection)
    _check_version(projection, table.version)
    return table


@dataclass(frozen=True)
class Gate:
    """What decides about events for a projection.

    Attributes:
        generation: of the table.
        behind: those of the aggregates that were left behind.
        present: the version and the encoded state of those that have a row.
    """

    generation: int
    behind: Collection[UUID]
    present: Mapping[UUID, tuple[int, str]]


def read_gate(
    connection: Connection, projection: Projection[Any], aggregate_ids: Collection[UUID], *, skip_parked: bool = True
) -> Gate:
    """What decides about events of some aggregates; to be asked in the transaction that applies them.

    Args:
        skip_parked: whether to see which were left behind, and to keep them so until the end of the transaction.

    Raises:
        TableNotReady: there is no table, or another version has made it.
    """
    parameters = {"projection": projection.name, "keys": array_text(aggregate_ids), "skip_parked": skip_parked}
    rows = connection.execute(statement("projection_gate", projection), parameters).fetchall()
    if not rows:
        raise _without_table(projection)
    version, generation, behind, *_ = rows[0]
    _check_version(projection, version)
    present = {key: (known, state) for *_, key, known, state in rows if key is not None}
    return Gate(generation, set(behind), present)


def _check_version(projection: Projection[Any], version: int) -> None:
    if version != projection.version:
        raise TableNotReady(
            f"the table of projection {projection.name} was made by version {version} of it, and this is version "
            f"{projection.version}: run `eventlib projections rebuild {projection.name}`"
        )


def table_of(connection: Connection, projection: Projection[Any]) -> ProjectionTable | None:
    """What is known of the table; None without one."""
    row = connection.execute(query("projection_version"), {"projection": projection.name}).fetchone()
    return ProjectionTable(*row) if row else None


def key_of(connection: Connection, projection: Projection[Any]) -> str:
    """The column of the aggregate's id in the table that is there, which may be another version's."""
    row = connection.execute(query("projection_key"), {"table": projection.name}).fetchone()
    return str(row[0]) if row else projection.key


def _without_table(projection: Projection[Any]) -> TableNotReady:
    return TableNotReady(f"projection {projection.name} has no table yet: run `eventlib init`")
