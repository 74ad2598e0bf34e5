"""What a rebuild has changed: the old table beside the new one, row by row."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from eventlib.projection import Projection
from eventlib.projections.statements import statement
from eventlib.store.connection import Connection

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
        moved: rows that are of another version in the new one, since more was written to the log.
        equal: rows that are the same but for the time of projection.
        differing: rows of the same version that are not the same.
        differences: the first ten of these.
    """

    added: int
    gone: int
    moved: int
    equal: int
    differing: int
    differences: list[Difference] = field(default_factory=list)


def compare(connection: Connection, before: Projection[Any], after: Projection[Any]) -> Comparison:
    """Compare two tables."""
    statement_text = statement("projection_compare", before, other=after.name)
    gone_and_more = connection.execute(statement_text, {"shown": SHOWN}).fetchall()[0]
    gone, added, moved, equal, differing, keys = gone_and_more
    rows = [
        {key: row for key, row, _ in connection.execute(statement("projection_rows", table), {"keys": keys})}
        for table in (before, after)
    ]
    differences = []
    for key in keys:
        old, new = (found.get(key, {}) for found in rows)
        columns = {name: (old.get(name), new.get(name)) for name in {**old, **new} if old.get(name) != new.get(name)}
        differences.append(Difference(key, columns))
    return Comparison(added, gone, moved, equal, differing, differences)
