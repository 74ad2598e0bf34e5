"""Rows of a projection through COPY: the quickest way into a table without keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import Enum
from types import NoneType
from typing import Any
from uuid import UUID

import msgspec

from eventlib.projection import Projection, Row
from eventlib.projections.rows import columns_of
from eventlib.projections.statements import statement
from eventlib.store.connection import Connection
from eventlib.store.database_clock import database_clock
from eventlib.store.queries import query

NULL = "\\N"
BATCH_ROWS = 100
"""Rows are handed to psycopg so many at a time: it takes as long for one as for a hundred."""


@contextmanager
def copying_rows(connection: Connection, projection: Projection[Any], first: Row) -> Iterator[Callable[[Row], None]]:
    """What writes rows with the columns of the first one, which it does not write; all are there when the block ends.

    A value becomes what it becomes on its way through `write_rows`, which is JSON.

    Raises:
        psycopg.DataError, psycopg.IntegrityError: the table refuses a row.
    """
    columns = columns_of(first)
    kinds = {
        name: kind for name, kind, _ in connection.execute(query("projection_columns"), {"table": projection.name})
    }
    texts = [(column, _document if kinds.get(column) in ("json", "jsonb") else _text) for column in columns]
    end = f"\t{database_clock(connection).isoformat()}\n"
    with connection.cursor().copy(statement("projection_copy", projection, columns)) as copy:
        waiting: list[str] = []

        def write(row: Row) -> None:
            get: Callable[[str], Any] = row.__getitem__ if isinstance(row, dict) else row.__getattribute__
            waiting.append("\t".join([text(get(column)) for column, text in texts]) + end)
            if len(waiting) == BATCH_ROWS:
                copy.write("".join(waiting))
                waiting.clear()

        yield write
        copy.write("".join(waiting))


def _text(value: object) -> str:
    """A value as the text format of COPY wants it."""
    return _TEXTS.get(type(value), _by_json)(value)


def _by_json(value: Any) -> str:
    """Any other value: what JSON makes of it, a text without its quotes."""
    if isinstance(value, Enum):
        return _text(value.value)
    encoded = msgspec.json.encode(value)
    return _text(msgspec.json.decode(encoded)) if encoded[:1] == b'"' else _document_of(encoded)


def _document(value: object) -> str:
    """A value for a column of JSON."""
    return NULL if value is None else _document_of(msgspec.json.encode(value))


def _document_of(encoded: bytes) -> str:
    return NULL if encoded == b"null" else _escaped(encoded.decode())


def _time(value: datetime) -> str:
    text = value.isoformat()
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text


def _escaped(text: str) -> str:
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if "\n" in text or "\t" in text or "\r" in text:
        text = text.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    return text


_TEXTS: dict[type, Callable[[Any], str]] = {
    NoneType: lambda value: NULL,
    str: _escaped,
    int: str,
    datetime: _time,
    UUID: str,
}
