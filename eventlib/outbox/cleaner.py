"""While change data capture publishes, nobody deletes the rows that Kafka has: this does, as far as the slot confirms it."""

from __future__ import annotations

from collections import deque

from eventlib.store.connection import Connection
from eventlib.store.queries import query

REMEMBERED = 600


class Cleaner:
    """Keeps the outbox small.

    Every look remembers what was committed by then, and a place in the write-ahead log after all of that. Once the reader
    of the slot has confirmed that place, it has published all of it. A row goes only then, so at any time the relays can
    publish what is left.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._looks: deque[tuple[str, str]] = deque(maxlen=REMEMBERED)

    def clean(self) -> int:
        """Delete what is known to be published; how many rows."""
        # The snapshot first: whatever it sees was committed, and thereby written to the log, before the place is asked for.
        snapshot = self._connection.execute(query("outbox_snapshot")).fetchall()[0][0]
        place, confirmed = self._connection.execute(query("cdc_places")).fetchall()[0]
        self._looks.append((snapshot, place))
        done = None
        while self._looks and confirmed is not None and _number(self._looks[0][1]) <= _number(confirmed):
            done = self._looks.popleft()[0]
        if done is None:
            return 0
        return self._connection.execute(query("outbox_clean"), {"snapshot": done}).rowcount


def _number(place: str) -> int:
    """A place in the write-ahead log as a number.

    >>> _number("1/10")
    4294967312
    """
    high, low = place.split("/")
    return (int(high, 16) << 32) + int(low, 16)
