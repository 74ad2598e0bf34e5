"""A rebuild that is under way: its table, and what is kept of it so that it goes on after it was killed."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec
import psycopg
from psycopg import sql

from eventlib.errors import ProjectionError
from eventlib.projection import Projection
from eventlib.projections.parking import Poison, park
from eventlib.projections.statements import statement
from eventlib.projections.tables import make_table, table_of
from eventlib.store.connection import Connection
from eventlib.store.global_read import Checkpoint, checkpoint_now
from eventlib.store.queries import query
from eventlib.store.single_worker import has_turn


@dataclass(frozen=True)
class Build:
    """What is kept of a rebuild.

    Attributes:
        projection: the one being rebuilt, under the name of the new table.
        checkpoint: events before it are found by loading, those after it by catching up.
        indexes: statements that make the keys and indexes of the new table.
        loaded: whether the new table has everything before the checkpoint, and its keys.
        parts: of the partitions that were loaded, rows and events.
    """

    projection: Projection[Any]
    checkpoint: Checkpoint
    indexes: list[str]
    loaded: bool
    parts: dict[str, tuple[int, int]]


def renamed(projection: Projection[Any], suffix: str) -> Projection[Any]:
    """The same projection with another table: `_new` is being filled, `_old` was replaced."""
    return with_table(projection, projection.name + suffix)


def with_table(projection: Projection[Any], table: str) -> Projection[Any]:
    """The same projection with another table, of a name that a projection cannot have."""
    other = copy.copy(projection)
    object.__setattr__(other, "name", table)
    return other


def digest_of(projection: Projection[Any]) -> str:
    """A digest of all that a projection declares, with the names of its functions; what they do escapes it."""
    functions = (projection.fold, projection.evolve, projection.row)
    declared = {
        "version": projection.version,
        "definition": projection.definition,
        "key": projection.key,
        "sql_fold": projection.sql_fold,
        "state": msgspec.json.schema(projection.initial),
        "functions": [(getattr(one, "__module__", ""), getattr(one, "__qualname__", "")) for one in functions],
        "wanted": sorted(kind.__name__ for kind in projection.wanted),
        "shapes": sorted(projection.aggregate.shapes),
        "aggregate": [projection.aggregate.name, projection.aggregate.state_schema],
    }
    return hashlib.sha256(msgspec.json.encode(declared, order="deterministic")).hexdigest()


def begin(connection: Connection, projection: Projection[Any], *, fresh: bool) -> Build:
    """Begin a rebuild, or find the one that was interrupted, unless another declaration has begun it.

    Args:
        connection: of the role that owns the schema.
        fresh: begin anew whatever there is.

    Raises:
        ProjectionError: the table cannot be made beside the present one, or something depends on that.
    """
    new = renamed(projection, "_new")
    for table in (projection, renamed(projection, "_old")):
        refuse_dependents(connection, table)
    with connection.transaction():
        connection.execute(query("projection_registry_lock"))
        found = connection.execute(query("build_read"), {"projection": new.name}).fetchone()
        digest = digest_of(projection)
        if found is None or found[0] != digest or fresh:
            remove(connection, new)
            # What is committed by now will be loaded; what is committed later comes after this checkpoint.
            checkpoint = checkpoint_now(connection)
            _make(connection, new)
            rows = connection.execute(query("projection_indexes"), {"table": new.name}).fetchall()
            for _, drop in reversed(rows):
                connection.execute(drop)
            indexes = [make for make, _ in rows]
            connection.execute(
                query("build_begin"),
                {
                    "projection": new.name,
                    "version": projection.version,
                    "digest": digest,
                    "checkpoint": checkpoint.to_json(),
                    "indexes": indexes,
                },
            )
            return Build(new, checkpoint, indexes, False, {})
        _, encoded, indexes, loaded = found
        parts = {part: (rows, events) for part, rows, events in parts_of(connection, new)}
        return Build(new, Checkpoint.from_json(encoded), indexes, loaded, parts)


def refuse_dependents(connection: Connection, table: Projection[Any]) -> None:
    """Raise `ProjectionError` if something depends on a table that is to be changed for another one, or dropped."""
    found = connection.execute(query("projection_dependents"), {"table": table.name}).fetchall()
    if found:
        raise ProjectionError(
            f"on {table.name} depends {', '.join(name for (name,) in found)}, which would not go over to another table: "
            "drop it first, and make it anew afterwards"
        )


def _make(connection: Connection, new: Projection[Any]) -> None:
    try:
        make_table(connection, new)
    except psycopg.errors.DuplicateTable as error:
        raise ProjectionError(
            f"{new.name} cannot be made beside the present table: {error.diag.message_primary}. If the definition names an "
            "index or a constraint, leave the name to PostgreSQL: CREATE INDEX ON {table} (...)"
        ) from None


def take_turn(connection: Connection, projection: Projection[Any]) -> None:
    """Keep other rebuilds and rollbacks of a projection away until the end of the connection.

    Raises:
        ProjectionError: another one is under way.
    """
    if not has_turn(connection, f"rebuild {projection.name}"):
        raise ProjectionError(f"another rebuild of {projection.name} is under way, or a rollback: try again after it")


def parts_of(connection: Connection, new: Projection[Any]) -> list[tuple[str, int, int]]:
    """The partitions that were loaded, with their rows and events."""
    return connection.execute(query("build_parts"), {"projection": new.name}).fetchall()


def finish_loading(connection: Connection, build: Build) -> None:
    """Give the new table its keys and indexes: all of its rows are there.

    Of rows that exclude each other, all but one are left behind, as they are when they come one after the other.
    """
    new = build.projection
    with connection.transaction():
        try:
            with connection.transaction():
                _make_indexes(connection, build)
        except (psycopg.errors.UniqueViolation, psycopg.errors.ExclusionViolation) as error:
            connection.execute(statement("projection_set_aside", new))
            connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(new.name)))
            _make_indexes(connection, build)
            connection.execute(statement("projection_take_back", new))
            reason = f"the table refuses its row: another row has what may be there once ({str(error).strip()})"
            left_out = connection.execute(statement("projection_left_out", new)).fetchall()
            park(connection, new.name, [Poison(key, 1, f"the log up to version {to}", reason) for key, to in left_out])
        advance(connection, new, None)
    connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(new.name)))


def _make_indexes(connection: Connection, build: Build) -> None:
    for make in build.indexes:
        connection.execute(make)


def advance(connection: Connection, new: Projection[Any], checkpoint: Checkpoint | None) -> None:
    """Note that everything is loaded, and up to where the new table has caught up."""
    parameters = {"projection": new.name, "checkpoint": checkpoint.to_json() if checkpoint else None}
    connection.execute(query("build_advance"), parameters)


def remove(connection: Connection, projection: Projection[Any]) -> None:
    """Drop the table of a build or of a predecessor, if there is one, and forget what is kept of it.

    Raises:
        ProjectionError: something depends on it.
    """
    refuse_dependents(connection, projection)
    connection.execute(query("build_forget"), {"projection": projection.name})
    if table_of(connection, projection) is not None:
        connection.execute(statement("projection_drop", projection))
    connection.execute(query("projection_forget"), {"projection": projection.name})
