"""Which log a message comes from."""

from __future__ import annotations

from uuid import UUID

from eventlib.store.connection import Connection
from eventlib.store.queries import query


def log_id(connection: Connection) -> UUID:
    """The identity of the log in this database, given to it when the schema was made."""
    found: UUID = connection.execute(query("log_id")).fetchall()[0][0]
    return found
