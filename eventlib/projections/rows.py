"""Writing rows of a projection's table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from eventlib.projection import Projection, R
from eventlib.store.connection import Connection
from eventlib.store.queries import query


def write_rows(connection: Connection, projection: Projection[Any, R], rows: Sequence[R]) -> None:
    """Insert or update rows in one statement; a row that is newer in the table stays as it is."""
    connection.execute(query(f"{projection.name}_write"), {"rows": msgspec.json.encode(rows).decode()})
