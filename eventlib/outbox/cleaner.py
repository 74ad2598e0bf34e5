"""While change data capture publishes, nobody deletes the rows that Kafka has: this does, as far as the slot confirms it."""

from __future__ import annotations

from eventlib.store.connection import Connection
from eventlib.store.queries import query

REMEMBERED = 600


class Cleaner:
    """Keeps the outbox small.

    Every look remembers what was committed by then, and a place in the write-ahead log after all of that. Once the reader
    of the slot has confirmed that place, it has published all of it. A row goes only then, so at any time the relays can
    publish what is left.

    What a slot says is believed only while somebody reads from it: one that was just made is confirmed up to that moment,
    and nobody has read what came before. For the same reason one that was once missing or lost is never believed again; no
    hand-over gives its name to another one.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._slot: str | None = None
        self._missed = False
        self._looks: list[tuple[str, int]] = []

    def clean(self) -> int:
        """Delete what is known to be published; how many rows."""
        # The snapshot first: whatever it sees was committed, and thereby written to the log, before the place is asked for.
        snapshot = self._connection.execute(query("outbox_snapshot")).fetchall()[0][0]
        place, slot, confirmed, is_read = self._connection.execute(query("cdc_places")).fetchall()[0]
        if slot != self._slot:
            self._slot, self._missed, self._looks = slot, False, []
        if self._missed or confirmed is None:
            self._missed = True
            return 0
        self._looks.append((snapshot, _number(place)))
        published = [before for before, there in self._looks if there <= _number(confirmed)] if is_read else []
        self._looks = self._looks[len(published) :]
        if len(self._looks) > REMEMBERED:
            # Every other one: without the oldest, a reader far behind would never get there.
            self._looks = self._looks[::2]
        if not published:
            return 0
        return self._connection.execute(query("outbox_clean"), {"snapshot": published[-1]}).rowcount


def _number(place: str) -> int:
    """A place in the write-ahead log as a number.

    >>> _number("1/10")
    4294967312
    """
    high, low = place.split("/")
    return (int(high, 16) << 32) + int(low, 16)
