"""Rows of a projection through COPY: the quickest way into a table without keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import Enum
from typing import Any

import msgspec

from eventlib.projection import Projection, Row
from eventlib.projections.rows import columns_of
from eventlib.projections.statements import statement
from eventlib.store.connection import Connection
from eventlib.store.database_clock import database_clock

NULL = "\\N"


@contextmanager
def copying_rows(connection: Connection, projection: Projection[Any], first: Row) -> Iterator[Callable[[Row], None]]:
    """What writes rows with the columns of the first one, which it does not write; all are there when the block ends.

    Raises:
        psycopg.DataError, psycopg.IntegrityError: the table refuses a row.
    """
    columns = columns_of(first)
    end = f"\t{database_clock(connection).isoformat()}\n"
    with connection.cursor().copy(statement("projection_copy", projection, columns)) as copy:

        def write(row: Row) -> None:
            get: Callable[[str], Any] = row.__getitem__ if isinstance(row, dict) else row.__getattribute__
            copy.write("\t".join([_text(get(column)) for column in columns]) + end)

        yield write


def _text(value: object) -> str:
    """A value as the text format of COPY wants it."""
    if value is None:
        return NULL
    if isinstance(value, str):
        return _escaped(value.value if isinstance(value, Enum) else value)
    if isinstance(value, (msgspec.Struct, dict, list, tuple)):
        return _escaped(msgspec.json.encode(value).decode())
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return f"\\\\x{value.hex()}"
    return str(value)


def _escaped(text: str) -> str:
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if "\n" in text or "\t" in text or "\r" in text:
        text = text.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    return text
