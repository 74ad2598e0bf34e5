"""Reading and writing rows of a projection's table."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import msgspec

from eventlib.codec import decoder_for
from eventlib.projection import Projection, Row, S
from eventlib.projections.statements import statement
from eventlib.store.connection import Connection


def read_states(
    connection: Connection, projection: Projection[S], aggregate_ids: Collection[UUID]
) -> dict[UUID, tuple[int, S]]:
    """The version and the folded state of those of some aggregates that have a row."""
    decode = decoder_for(projection.initial)
    found = connection.execute(statement("projection_read", projection), {"keys": list(aggregate_ids)})
    return {key: (version, decode(state)) for key, version, state in found}


def write_rows(connection: Connection, projection: Projection[Any], rows: Sequence[Row]) -> None:
    """Insert or update rows in one statement; a row that is newer in the table stays as it is."""
    if rows:
        written = statement("projection_write", projection, columns_of(rows[0]))
        connection.execute(written, {"rows": msgspec.json.encode(rows).decode()})


def load_rows(connection: Connection, projection: Projection[Any], rows: Sequence[Row]) -> None:
    """Insert rows in one statement into a table without keys."""
    if rows:
        written = statement("projection_load", projection, columns_of(rows[0]))
        connection.execute(written, {"rows": msgspec.json.encode(rows).decode()})


def columns_of(row: Row) -> Sequence[str]:
    """The names of a row's columns."""
    return list(row) if isinstance(row, dict) else row.__struct_fields__
