"""Epochs: where the log has lived. Numbers of transactions mean something within one of them."""

from __future__ import annotations

from eventlib.store.connection import Connection
from eventlib.store.queries import query


def begin_epoch(connection: Connection) -> int | None:
    """Begin a new epoch if the log has come to another cluster or timeline, as by a dump or a restored backup.

    Writers wait meanwhile. To be called by who owns the schema.

    Returns:
        The number of the new epoch; None when the log is where it was.
    """
    if not connection.execute(query("epoch_is_over")).fetchall()[0][0]:
        return None
    with connection.transaction():
        connection.execute(query("epoch_lock"))
        connection.execute(query("position_sequence"))
        begun = connection.execute(query("epoch_begin")).fetchone()
    return begun[0] if begun else None
