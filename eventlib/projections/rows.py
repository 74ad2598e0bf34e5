"""The rows of a projection's table: their states decoded, and how they are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import psycopg

from eventlib.codec import decoder_for
from eventlib.errors import ProjectionError
from eventlib.projection import Projection, Row, S
from eventlib.projections.statements import statement
from eventlib.store.connection import Connection

REFUSALS = (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded)
"""What the database says of a row that it will never take; the last of one that is too large for an index."""


def decoded_state(projection: Projection[S], encoded: str | None) -> S:
    """A state as it was encoded; the one before the first event without any.

    Raises:
        ProjectionError: it is no such state: the row was damaged, or another fold has written it under the same version.
    """
    if encoded is None:
        return projection.initial()
    decode: Callable[[str], S] = decoder_for(projection.initial)
    try:
        return decode(encoded)
    except Exception as error:  # whatever the state's own class raises
        raise ProjectionError(
            f"the state in its row of {projection.name} cannot be read ({error}): "
            f"run `eventlib projections rebuild {projection.name}`"
        ) from None


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
