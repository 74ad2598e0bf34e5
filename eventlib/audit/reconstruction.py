"""Reconstruction: one aggregate told from its events alone, and held against its read model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic
from uuid import UUID

import psycopg

from eventlib.aggregate import S
from eventlib.audit.checks import Place, check_complete, check_consistent, check_legal, offences
from eventlib.audit.digest import digest_of
from eventlib.audit.verdict import Check
from eventlib.errors import CorruptStream, ReportError
from eventlib.events import Event, Recorded
from eventlib.projection import Projection
from eventlib.projections.reconcile import Reconciliation, reconcile
from eventlib.projections.staleness import Staleness, staleness
from eventlib.store.event_store import Store
from eventlib.temporal.as_of import AsOf, AtInstant, InvalidAsOf, Now, as_of
from eventlib.temporal.transitions import Replay, replay


@dataclass(frozen=True)
class Reconstruction(Generic[S]):
    """What the log tells of one aggregate. All of it was read from one snapshot of the database.

    Attributes:
        aggregate_id: whose.
        as_of: up to when it is told.
        log: all of its events, in order.
        events: those that were there as of then, in order; at least one.
        replay: of `events`: each with the state before and after.
        reconciliation: of the present row against the whole log; None when the log cannot be folded.
        staleness: of the present row; None when there is none.
        checks: complete, consistent, legal.
        offences: what is wrong with an event, by version and part; also what the check `Legal` is about.
        digest: SHA-256 over `events`, in hex.
    """

    aggregate_id: UUID
    as_of: AsOf
    log: Sequence[Recorded[Event]]
    events: Sequence[Recorded[Event]]
    replay: Replay[S]
    reconciliation: Reconciliation | None
    staleness: Staleness | None
    checks: Sequence[Check]
    offences: Mapping[Place, str]
    digest: str

    @property
    def number(self) -> int:
        """How many stored events are told; an upcaster may make several of one."""
        return _stored(self.events)

    @property
    def later(self) -> int:
        """How many stored events are in the log beyond those told."""
        return _stored(self.log) - self.number

    @property
    def log_position(self) -> int:
        """The highest position in the log among the events told."""
        return max(recorded.position for recorded in self.events)


def reconstruct(
    store: Store,
    projection: Projection[S],
    aggregate_id: UUID,
    point: AsOf = Now(),  # noqa: B008 - immutable
    retell: Callable[[Event], Any] | None = None,
) -> Reconstruction[S]:
    """Tell one aggregate from its events.

    Args:
        projection: the read model to hold against the log; its aggregate says how to fold.
        aggregate_id: whose.
        point: up to when, by default now; the read model is compared as it is now in any case.
        retell: the command that must have led to an event. With it, each event is decided again on the state before it.

    Raises:
        ReportError: there is no such aggregate, or nothing of it at `point`, or `point` is in the future.
        UnreadableEvent: an event cannot be decoded.
    """
    aggregate = projection.aggregate
    with _one_snapshot(store):
        # `read` would raise at the first hole; an auditor has to see what is around it.
        stored = list(store.read_stored(aggregate, aggregate_id))
        log = [recorded for one in stored for recorded in aggregate.recorded(one)]
        if not log:
            raise ReportError(f"there is no {aggregate.name} {aggregate_id} in the log: check the id")
        reconciliation = _reconciled(store, projection, log)
        claimed = reconciliation.projected_version if reconciliation else None
        stale = None if claimed is None else staleness(store.connection, aggregate_id, claimed)
    events = _until(log, point, f"{aggregate.name} {aggregate_id}")
    replayed = replay(aggregate, events)
    broken = offences(aggregate, replayed, retell) if retell else {}
    return Reconstruction(
        aggregate_id=aggregate_id,
        as_of=point,
        log=log,
        events=events,
        replay=replayed,
        reconciliation=reconciliation,
        staleness=stale,
        checks=[
            check_complete(events),
            check_consistent(projection.name, reconciliation, stale),
            *([check_legal(aggregate.name, replayed, broken)] if retell else []),
        ],
        offences=broken,
        digest=digest_of(one for one in stored if one.version <= events[-1].version),
    )


@contextmanager
def _one_snapshot(store: Store) -> Iterator[None]:
    """All statements inside see the database as it was at the first of them, and none can write."""
    connection = store.connection
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    try:
        with connection.transaction():
            yield
    finally:
        connection.isolation_level = connection.read_only = None


def _reconciled(store: Store, projection: Projection[Any], log: Sequence[Recorded[Event]]) -> Reconciliation | None:
    if replay(projection.aggregate, log).problem is not None:
        return None
    try:
        return reconcile(store, projection, log[0].aggregate_id)
    except CorruptStream:
        return None


def _stored(events: Sequence[Recorded[Event]]) -> int:
    return sum(recorded.part == 0 for recorded in events)


def _until(log: Sequence[Recorded[Event]], point: AsOf, what: str) -> Sequence[Recorded[Event]]:
    if isinstance(point, AtInstant) and point.instant > datetime.now(UTC):
        raise ReportError(f"as-of {point} is in the future: what will be known then cannot be told")
    try:
        events = as_of(log, point)
    except InvalidAsOf as error:
        raise ReportError(f"{what}: {error}") from None
    if not events:
        raise ReportError(f"{what} had no events at {point}: the first was recorded at {AtInstant(log[0].recorded_at)}")
    return events
