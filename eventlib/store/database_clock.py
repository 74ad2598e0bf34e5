"""The one clock that every process agrees on."""

from __future__ import annotations

from datetime import datetime

from eventlib.store.connection import Connection
from eventlib.store.queries import query


def database_clock(connection: Connection) -> datetime:
    """The time by the database's clock, in UTC."""
    now: datetime = connection.execute(query("clock")).fetchall()[0][0]
    return now
