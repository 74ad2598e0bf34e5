"""Writing rows of a projection's table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from eventlib.projection import Projection, Row
from eventlib.projections.statements import statement
from eventlib.store.connection import Connection


def write_rows(
    connection: Connection, projection: Projection[Any], rows: Sequence[Row], table: str | None = None
) -> None:
    """Insert or update rows in one statement; a row that is newer in the table stays as it is.

    Args:
        table: another one than the projection's, such as the one that a rebuild fills.
    """
    if rows:
        written = statement("projection_write", projection, columns_of(rows[0]), table)
        connection.execute(written, {"rows": msgspec.json.encode(rows).decode()})


def columns_of(row: Row) -> Sequence[str]:
    """The names of a row's columns."""
    return list(row) if isinstance(row, dict) else row.__struct_fields__
