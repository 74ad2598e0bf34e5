"""The statements that every projection shares, for the table of one of them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from psycopg import sql

from eventlib.projection import Projection
from eventlib.store.queries import query


def statement(name: str, projection: Projection[Any], columns: Sequence[str] = (), other: str = "") -> str:
    """The text of `sql/queries/<name>.sql` for a projection.

    Args:
        columns: of the rows that it writes.
        other: a second table.
    """
    return _composed(name, projection.name, projection.key, tuple(columns), other)


@functools.cache
def _composed(name: str, table: str, key: str, columns: tuple[str, ...], other: str) -> str:
    # Identifiers cannot be bound; these are quoted.
    identifiers = [sql.Identifier(column) for column in columns]
    return (
        sql.SQL(query(name))
        .format(
            table=sql.Identifier(table),
            key=sql.Identifier(key),
            other=sql.Identifier(other),
            columns=sql.SQL(", ").join(identifiers),
            excluded=sql.SQL(", ").join([sql.SQL("excluded.") + column for column in identifiers]),
        )
        .as_string(None)
    )
