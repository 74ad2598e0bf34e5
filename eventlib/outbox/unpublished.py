"""What is to be published, in windows: rows that were not there at the last look and are there now.

Rows, not a cursor, say what is unpublished; but to look at all of them each time would walk over every row that was deleted
and that an open transaction somewhere still might see. A window between two moments touches only what is new. All rows are
looked at when it is not known what was seen before: at the start, with a new shard, after a failure, when an aggregate is no
longer held back.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from eventlib.store.array_text import array_text
from eventlib.store.connection import Connection, planned_anew
from eventlib.store.global_read import parsed_snapshot
from eventlib.store.queries import query

_BEGINNING = "1:1:"
"""A moment before every transaction."""

SETTINGS = ("SET enable_seqscan TO off", "SET max_parallel_workers_per_gather TO 0")
"""With which a window is planned once for any moment: what the planner takes the table for at that time must not matter."""


class OutboxRow(NamedTuple):
    """One row of the outbox, its columns as texts where a message takes them as such."""

    id: int
    shard: int
    event_id: str
    aggregate_id: str
    aggregate_type: str
    event_type: str
    schema_version: int
    event_data: str
    metadata: str
    version: int
    position: int
    ce_time: str


class Unpublished:
    """The unpublished rows of some shards, each handed out once, of each aggregate in order."""

    def __init__(self, connection: Connection) -> None:
        for setting in SETTINGS:
            connection.execute(setting)
        self._connection = connection
        self._seen = _BEGINNING
        self._until: str | None = None
        self._after = 0
        self._idle = False
        self._shards: Collection[int] = ()
        self._shards_text = "{}"

    def look_at_all(self) -> None:
        """Hand out every row again that is still there."""
        self._seen, self._until, self._idle = _BEGINNING, None, False

    def page(self, shards: Collection[int], limit: int, due: Collection[UUID] = ()) -> list[OutboxRow]:
        """The next rows; none when there is nothing new.

        Args:
            shards: whose rows. After one that was not among them the last time, all rows are looked at.
            limit: rows at most.
            due: of the aggregates that are held back those that are let through.
        """
        if shards != self._shards:
            if not set(shards).issubset(self._shards):
                self.look_at_all()
            self._shards, self._shards_text = shards, array_text(shards)
        if self._idle and self._moment() == self._seen:
            return []
        wanted = {"shards": self._shards_text, "limit": limit, "due": list(due)}
        if self._until is None and self._seen == _BEGINNING:
            self._until, self._after = self._moment(), 0
        if self._until is not None:
            until = self._until
            rest = {**wanted, "seen": self._seen, "until": until, "after": self._after}
            found = planned_anew(self._connection, query("outbox_window_rest"), rest).fetchall()
            rows = list(map(OutboxRow._make, found))
        else:
            xmax, in_progress = parsed_snapshot(self._seen)
            late = {**wanted, "seen_xmax": xmax, "seen_in_progress": in_progress}
            found = self._connection.execute(query("outbox_window"), late).fetchall()
            until = found[0][0]
            rows = [OutboxRow._make(found_row[1:]) for found_row in found if found_row[1] is not None]
        if len(rows) == limit:
            self._until, self._after = until, rows[-1].id
        else:
            self._seen, self._until = until, None
        self._idle = not rows
        return rows

    def _moment(self) -> str:
        moment: str = self._connection.execute(query("outbox_snapshot")).fetchall()[0][0]
        return moment
