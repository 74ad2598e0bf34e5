"""What a rebuild has changed: the old table beside the new one, row by row."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from psycopg import sql

from eventlib.projection import Projection
from eventlib.projections.statements import statement
from eventlib.projections.tables import key_of
from eventlib.store.connection import Connection
from eventlib.store.queries import query

SHOWN = 10


@dataclass(frozen=True)
class Difference:
    """A row that is another one in the new table at the same version, and in which columns: before and after."""

    aggregate_id: UUID
    columns: dict[str, tuple[Any, Any]]


@dataclass(frozen=True)
class Comparison:
    """Two tables of a projection.

    Attributes:
        added: rows that only the new one has.
        gone: rows that only the old one has.
        newer: rows that are of a later version in the new one, since the old one was behind.
        older: rows that are of an earlier version in the new one: of aggregates that it has left behind, or of events that
            the log does not have.
        equal: rows that are the same but for the time of projection.
        differing: rows of the same version that are not the same.
        differences: the first ten of these.
    """

    added: int
    gone: int
    newer: int
    older: int
    equal: int
    differing: int
    differences: list[Difference] = field(default_factory=list)


def compare(connection: Connection, before: Projection[Any], after: Projection[Any]) -> Comparison:
    """Compare two tables, which may have other columns, columns of other types, and another name of the key."""
    before = replace(before, key=key_of(connection, before))
    columns, other_columns = _columns(connection, before), _columns(connection, after)
    apart = ["projected_at", before.key, after.key]
    same: sql.Composable = sql.SQL("to_jsonb(before) - {apart}::text[] = to_jsonb(after) - {apart}::text[]").format(
        apart=sql.Literal(apart)
    )
    if columns.keys() == other_columns.keys():
        parts = [_same(name, columns[name], other_columns[name]) for name in columns if name not in apart]
        same = sql.SQL(" AND ").join([sql.SQL("true"), *parts])
    text = sql.SQL(query("projection_compare")).format(
        table=sql.Identifier(before.name),
        other=sql.Identifier(after.name),
        key=sql.Identifier(before.key),
        other_key=sql.Identifier(after.key),
        equal=same,
    )
    gone, added, newer, older, equal, differing, keys = connection.execute(text, {"shown": SHOWN}).fetchall()[0]
    rows = [
        {key: row for key, row, _ in connection.execute(statement("projection_rows", table), {"keys": keys})}
        for table in (before, after)
    ]
    differences = []
    for key in keys:
        old, new = (found.get(key, {}) for found in rows)
        names = [name for name in {**old, **new} if name not in apart and old.get(name) != new.get(name)]
        changed = {name: (old.get(name), new.get(name)) for name in names}
        differences.append(Difference(key, changed))
    return Comparison(added, gone, newer, older, equal, differing, differences)


Column = tuple[str, bool]
"""The type of a column, and whether values of it can be compared."""


def _columns(connection: Connection, table: Projection[Any]) -> dict[str, Column]:
    found = connection.execute(query("projection_columns"), {"table": table.name}).fetchall()
    return {name: (kind, comparable) for name, kind, comparable in found}


def _same(column: str, before: Column, after: Column) -> sql.Composed:
    comparable = before == after and before[1]
    form = "before.{0} IS NOT DISTINCT FROM after.{0}"
    if not comparable:
        form = "to_jsonb(before.{0}) IS NOT DISTINCT FROM to_jsonb(after.{0})"
    return sql.SQL(form).format(sql.Identifier(column))
