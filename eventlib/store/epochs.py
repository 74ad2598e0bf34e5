"""Epochs: where the log has lived. Numbers of transactions mean something within one of them."""

from __future__ import annotations

from datetime import datetime

from eventlib.errors import ServiceUnavailable
from eventlib.store.connection import Connection
from eventlib.store.queries import query

MOVED = (
    "the log has come to this server from another one, or was restored from a backup: run `eventlib init` once, "
    "which begins a new epoch of it; followers then go on where they were"
)


def begin_epoch(connection: Connection) -> int | None:
    """Begin a new epoch if the log has come to another cluster or timeline, as by a dump or a restored backup.

    Writers wait meanwhile. To be called by who owns the schema.

    Returns:
        The number of the new epoch; None when the log is where it was.
    """
    *_, is_there = _newest(connection)
    if is_there:
        return None
    with connection.transaction():
        connection.execute(query("epoch_lock"))
        connection.execute(query("position_sequence"))
        begun = connection.execute(query("epoch_begin")).fetchone()
        if begun:
            connection.execute(query("epoch_outbox"))
    return begun[0] if begun else None


def epoch_began(connection: Connection) -> datetime | None:
    """When the log came to where it is now, by the database's clock; None if it was never anywhere else.

    What was written before that may be lost: a standby, or a backup, may have lacked it.

    Raises:
        ServiceUnavailable: the log has come to another cluster or timeline, and nobody has said so yet.
    """
    epoch, began_at, is_there = _newest(connection)
    if not is_there:
        raise ServiceUnavailable(MOVED)
    return began_at if epoch > 1 else None


def _newest(connection: Connection) -> tuple[int, datetime, bool]:
    epoch, began_at, is_there = connection.execute(query("epoch_newest")).fetchall()[0]
    return epoch, began_at, is_there
