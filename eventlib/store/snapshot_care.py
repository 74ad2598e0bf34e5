"""The care of snapshots: verify them against the log, make them anew, forget those that nobody needs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from eventlib.aggregate import Aggregate, S
from eventlib.errors import CorruptSnapshot
from eventlib.store.event_store import Store
from eventlib.store.queries import query
from eventlib.store.snapshots import KEEP, restored
from eventlib.store.snapshotter import take_snapshots

PAGE = 500


@dataclass(frozen=True)
class BadSnapshot:
    """A snapshot that a load must not use, and what is wrong with it."""

    aggregate_id: UUID
    version: int
    problem: str


@dataclass
class SnapshotVerification:
    """All snapshots of an aggregate type, compared with the log.

    Attributes:
        good: those that hold what a replay gives.
        stale: those of another state class than today's; loads pass over them.
        bad: those that are damaged, of an event that the log does not have, or another state than a replay gives.
    """

    good: int = 0
    stale: int = 0
    bad: list[BadSnapshot] = field(default_factory=list)

    @property
    def snapshots(self) -> int:
        return self.good + self.stale + len(self.bad)


@dataclass(frozen=True)
class _Kept:
    """One row of `aggregate_snapshots`."""

    aggregate_id: UUID
    version: int
    event_id: UUID
    position: int
    state_schema: str
    state: str
    sha256: bytes


def verify_snapshots(
    store: Store, aggregate: Aggregate[Any, Any], advance: Callable[[int], None] = lambda snapshots: None
) -> SnapshotVerification:
    """Compare every snapshot with the fold of the events up to its version.

    Args:
        advance: told the number of snapshots compared since the last call.

    Raises:
        UnreadableEvent: an event cannot be decoded.
        CorruptStream: a version is missing in the log.
    """
    result = SnapshotVerification()
    for aggregate_id, kept in itertools.groupby(_all(store, aggregate), key=lambda one: one.aggregate_id):
        version, state = 0, aggregate.initial()
        for snapshot in kept:
            advance(1)
            if snapshot.state_schema != aggregate.state_schema:
                result.stale += 1
                continue
            for recorded in store.read(aggregate, aggregate_id, after=version, until=snapshot.version):
                version, state = recorded.version, aggregate.evolve(state, recorded.event)
            problem = _problem(store, aggregate, snapshot, state)
            if problem is None:
                result.good += 1
            else:
                result.bad.append(BadSnapshot(aggregate_id, snapshot.version, problem))
    return result


def rebuild_snapshots(
    store: Store,
    aggregate: Aggregate[Any, Any],
    every: int | None = None,
    advance: Callable[[int], None] = lambda aggregates: None,
) -> int:
    """Forget all snapshots of a type and take new ones from the log; loads replay the log meanwhile.

    Args:
        every: aggregates with at least so many events get one; by default what the aggregate says.
        advance: told the number of aggregates looked at since the last call.

    Returns:
        The number of snapshots taken.
    """
    store.connection.execute(query("snapshots_clear"), {"aggregate_type": aggregate.name})
    taken = 0
    for ids in store.aggregate_ids(aggregate, PAGE):
        taken += take_snapshots(store, aggregate, ids, every or aggregate.snapshot_every)
        advance(len(ids))
    return taken


def prune_snapshots(store: Store, aggregate: Aggregate[Any, Any], keep: int = KEEP) -> int:
    """Forget all but the newest `keep` usable snapshots of every aggregate of a type; how many were forgotten."""
    pruned = store.connection.execute(
        query("snapshots_prune"),
        {"aggregate_type": aggregate.name, "state_schema": aggregate.state_schema, "keep": keep},
    )
    return pruned.rowcount


def _problem(store: Store, aggregate: Aggregate[S, Any], snapshot: _Kept, replayed: S) -> str | None:
    last = store.connection.execute(
        query("event_of_version"), {"aggregate_id": snapshot.aggregate_id, "version": snapshot.version}
    ).fetchone()
    if last != (snapshot.event_id, snapshot.position):
        return "it ends with an event that the log does not have"
    try:
        state = restored(
            aggregate,
            snapshot.aggregate_id,
            snapshot.version,
            snapshot.event_id,
            snapshot.position,
            snapshot.state,
            snapshot.sha256,
        )
    except CorruptSnapshot as error:
        return str(error)
    if state != replayed:
        return "a replay gives another state: if `evolve` was changed, raise the aggregate's state_version"
    return None


def _all(store: Store, aggregate: Aggregate[Any, Any]) -> Iterator[_Kept]:
    parameters = {"aggregate_type": aggregate.name, "after_id": UUID(int=0), "after_version": 0, "limit": PAGE}
    while rows := store.connection.execute(query("snapshots_read"), parameters).fetchall():
        yield from itertools.starmap(_Kept, rows)
        parameters |= {"after_id": rows[-1][0], "after_version": rows[-1][1]}
