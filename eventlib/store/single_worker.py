"""One worker at a time: the others of its kind stand by, and one of them takes over when it ends, however it ends."""

from __future__ import annotations

import logging

from eventlib.stopping import Stop
from eventlib.store.connection import Connection
from eventlib.store.queries import query

STANDBY_POLL_S = 1.0

log = logging.getLogger(__name__)


def wait_for_turn(connection: Connection, name: str, stop: Stop) -> bool:
    """Wait until no other worker of this name is at work, or `stop`; whether it is this one's turn.

    The turn is an advisory lock that belongs to the connection: who loses the connection has lost the turn.
    """
    standing_by = False
    while not stop:
        if has_turn(connection, name):
            return True
        if not standing_by:
            log.info("standing by: another %s is at work", name)
            standing_by = True
        stop.wait(STANDBY_POLL_S)
    return False


def has_turn(connection: Connection, name: str) -> bool:
    """Whether this connection now has the turn of that name."""
    return bool(connection.execute(query("worker_lock"), {"worker": name}).fetchall()[0][0])
