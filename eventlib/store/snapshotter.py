"""The snapshotter: takes snapshots of what has grown, after the fact and on a connection of its own.

It follows the log like any reader, so an append neither knows of it nor waits for it. It can die at any time: what it has
not done yet, loads do without, and it goes on from its checkpoint.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from eventlib.aggregate import Aggregate
from eventlib.errors import CorruptStream, SettingsError, SnapshotRefused, StaleCheckpoint, UnreadableEvent
from eventlib.events import Stored
from eventlib.stopping import Stop
from eventlib.store.connection import Connection
from eventlib.store.event_store import Store
from eventlib.store.global_read import follow, keep_checkpoint, kept_checkpoint
from eventlib.store.queries import query
from eventlib.store.single_worker import wait_for_turn
from eventlib.store.snapshots import save_snapshot

NAME = "snapshotter"

log = logging.getLogger(__name__)


class Snapshotter:
    """Keeps the snapshots of some aggregates young enough."""

    def __init__(
        self, connection: Connection, aggregates: Sequence[Aggregate[Any, Any]], every: Mapping[str, int] | None = None
    ) -> None:
        """
        Args:
            aggregates: of which snapshots are taken.
            every: events between two snapshots, by aggregate; where it says nothing, what the aggregate says.

        Raises:
            SettingsError: `every` names an aggregate that is not among them.
        """
        if unknown := sorted((every or {}).keys() - {aggregate.name for aggregate in aggregates}):
            known = ", ".join(aggregate.name for aggregate in aggregates)
            raise SettingsError(f"EVENTLIB_SNAPSHOT_EVERY names {', '.join(unknown)}; there are {known}")
        self._connection = connection
        self._store = Store(connection)
        self._aggregates = {aggregate.name: aggregate for aggregate in aggregates}
        self._every = {aggregate.name: aggregate.snapshot_every for aggregate in aggregates} | dict(every or {})

    def run(self, stop: Stop) -> None:
        """Follow the log until `stop`; while another snapshotter is at work, stand by.

        Raises:
            ServiceUnavailable: the log cannot be followed on this server.
            psycopg.OperationalError: the database is gone.
        """
        if not wait_for_turn(self._connection, NAME, stop):
            return
        log.info("taking snapshots")
        try:
            self._follow(stop)
        except StaleCheckpoint as error:
            log.warning("beginning again from the start of the log: %s", error)
            self._connection.execute(query("checkpoint_forget"), {"follower": NAME})
            self._follow(stop)

    def _follow(self, stop: Stop) -> None:
        checkpoint = kept_checkpoint(self._connection, NAME)
        for page in follow(self._connection, stop, checkpoint, aggregate_types=self._aggregates):
            self.take_due(page.events)
            keep_checkpoint(self._connection, NAME, page.checkpoint)

    def take_due(self, events: Sequence[Stored]) -> int:
        """Take a snapshot of every aggregate among these events that has grown enough; how many were taken."""
        taken = 0
        for name, aggregate in self._aggregates.items():
            ids = {stored.aggregate_id for stored in events if stored.aggregate_type == name}
            taken += take_snapshots(self._store, aggregate, ids, self._every[name])
        return taken


def take_snapshots(store: Store, aggregate: Aggregate[Any, Any], ids: Collection[UUID], every: int) -> int:
    """Take a snapshot of those aggregates that have `every` events or more since their last one; how many were taken.

    One that cannot be taken is logged and left out: it costs time on loads, nothing else.
    """
    due = store.connection.execute(
        query("snapshots_due"),
        {
            "aggregate_ids": list(ids),
            "aggregate_type": aggregate.name,
            "state_schema": aggregate.state_schema,
            "every": every,
        },
    ).fetchall()
    taken = 0
    for (aggregate_id,) in due:
        try:
            save_snapshot(store.connection, aggregate, aggregate_id, store.load(aggregate, aggregate_id))
            taken += 1
        except (UnreadableEvent, CorruptStream, SnapshotRefused) as error:
            log.warning("no snapshot is taken: %s", error)
    return taken
