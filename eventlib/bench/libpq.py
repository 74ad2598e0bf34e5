"""Statements through libpq alone: what a client pays for bringing rows into its memory, before it looks at any of them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from psycopg.pq import ExecStatus

from eventlib.store.connection import Connection

_PLACEHOLDER = re.compile(r"%\((\w+)\)s")
_numbers = itertools.count(1)


class Prepared:
    """A prepared statement of one connection."""

    def __init__(self, connection: Connection, statement: str) -> None:
        """
        Args:
            statement: with parameters as psycopg writes them, such as `%(limit)s`.

        Raises:
            psycopg.Error: the server refuses the statement.
        """
        numbered, self._parameters = with_numbers(statement)
        self._connection = connection.pgconn
        self._name = f"bench_{next(_numbers)}".encode()
        prepared = self._connection.prepare(self._name, numbered.encode())
        if prepared.status != ExecStatus.COMMAND_OK:
            raise psycopg.DatabaseError(prepared.error_message.decode(errors="replace"))

    def fetch(self, parameters: Mapping[str, Any]) -> Callable[[], int]:
        """What executes it with these parameters, brings all rows into memory, and says how many there are."""
        values = [_text(parameters[name]) for name in self._parameters]

        def fetch() -> int:
            result = self._connection.exec_prepared(self._name, values)  # type: ignore[arg-type] # None is a null
            if result.status != ExecStatus.TUPLES_OK:
                raise psycopg.DatabaseError(result.error_message.decode(errors="replace"))
            return result.ntuples

        return fetch


def with_numbers(statement: str) -> tuple[str, list[str]]:
    """A statement with parameters as the server numbers them, and their names in that order.

    >>> with_numbers("SELECT %(a)s, %(b)s::json, %(a)s")
    ('SELECT $1, $2::json, $1', ['a', 'b'])
    """
    names: list[str] = []

    def numbered(match: re.Match[str]) -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    return _PLACEHOLDER.sub(numbered, statement), names


def _text(value: Any) -> bytes | None:
    """A parameter as PostgreSQL reads it in text format; a list as an array of texts.

    >>> _text(["OrderPlaced", 'a "b"'])
    b'{"OrderPlaced","a \\\\"b\\\\""}'
    """
    if value is None:
        return None
    if isinstance(value, list):
        members = (str(member).replace("\\", "\\\\").replace('"', '\\"') for member in value)
        return ("{" + ",".join(f'"{member}"' for member in members) + "}").encode()
    return str(value).encode()
