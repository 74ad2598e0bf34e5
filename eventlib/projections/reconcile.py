"""Reconciliation: is a projection what a fold of the log says, at the version that it claims?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import psycopg

from eventlib.errors import CorruptStream, EventlibError
from eventlib.events import Stored
from eventlib.projection import Projection
from eventlib.projections.statements import statement
from eventlib.store.event_store import Store

SHOWN = 10
"""How many offending ids a verification names."""


@dataclass(frozen=True)
class FieldComparison:
    """One column: its value folded from the log and its value in the read model, both as JSON values."""

    name: str
    folded: Any
    projected: Any

    @property
    def equal(self) -> bool:
        return bool(self.folded == self.projected)


@dataclass(frozen=True)
class Reconciliation:
    """One aggregate's row, compared at the version that the row claims.

    Attributes:
        aggregate_id: of the row.
        logged_version: the aggregate's version in the log.
        projected_version: the version that the row claims; None when there is no row.
        projected_at: when the row was written, in UTC; None when there is no row.
        fields: every column but the time of projection; empty when there is no row.
    """

    aggregate_id: UUID
    logged_version: int
    projected_version: int | None
    projected_at: datetime | None
    fields: Sequence[FieldComparison]

    @property
    def differing(self) -> list[FieldComparison]:
        """The columns that are not what the log says."""
        return [comparison for comparison in self.fields if not comparison.equal]


@dataclass
class Verification:
    """A whole projection, compared with the log.

    Attributes:
        aggregates: in the log.
        equal: rows that are what the log says at the version that they claim.
        behind: of those, rows that do not contain the newest events yet.
        missing: aggregates without a row.
        differing: rows that are not what the log says.
        unreadable: aggregates whose row cannot be compared, and why: the log has a hole there, or an event up to the row's
            version that cannot be read or folded.
        orphans: rows of aggregates that the log does not know; at most `SHOWN` are looked for.
    """

    aggregates: int = 0
    equal: int = 0
    behind: int = 0
    missing: list[UUID] = field(default_factory=list)
    differing: list[Reconciliation] = field(default_factory=list)
    unreadable: dict[UUID, str] = field(default_factory=dict)
    orphans: list[UUID] = field(default_factory=list)


def reconcile(store: Store, projection: Projection[Any], aggregate_id: UUID) -> Reconciliation:
    """Compare one aggregate's row with the fold of its events.

    Raises:
        UnreadableEvent: an event up to the row's version cannot be decoded.
        CorruptStream: a version is missing.
    """
    # The row first: events that are appended in between can only make it look stale, never wrong.
    rows = _rows(store, projection, [aggregate_id])
    events = store.read_stored(projection.aggregate, aggregate_id)
    return _compare(projection, aggregate_id, rows.get(aggregate_id), events)


def verify(
    store: Store, projection: Projection[Any], advance: Callable[[int], None] = lambda aggregates: None
) -> Verification:
    """Compare every row of a projection with the fold of its events.

    Args:
        advance: told the number of aggregates compared since the last call.
    """
    result = Verification()
    for aggregate_ids in store.aggregate_ids(projection.aggregate):
        rows = _rows(store, projection, aggregate_ids)
        for aggregate_id, events in store.read_many_stored(projection.aggregate, aggregate_ids):
            try:
                compared = _compare(projection, aggregate_id, rows.get(aggregate_id), events)
            except psycopg.Error:
                raise
            except Exception as error:  # whatever the fold raises
                result.unreadable[aggregate_id] = str(error) if isinstance(error, EventlibError) else repr(error)
                continue
            if compared.projected_version is None:
                result.missing.append(aggregate_id)
            elif compared.differing:
                result.differing.append(compared)
            else:
                result.equal += 1
                result.behind += compared.projected_version < compared.logged_version
        result.aggregates += len(aggregate_ids)
        advance(len(aggregate_ids))
    orphans = store.connection.execute(statement("projection_orphans", projection), {"limit": SHOWN})
    result.orphans = [row[0] for row in orphans]
    return result


def _rows(
    store: Store, projection: Projection[Any], aggregate_ids: Sequence[UUID]
) -> dict[UUID, tuple[dict[str, Any], datetime]]:
    found = store.connection.execute(statement("projection_rows", projection), {"keys": list(aggregate_ids)})
    return {key: (row, projected_at) for key, row, projected_at in found}


def _compare(
    projection: Projection[Any],
    aggregate_id: UUID,
    row: tuple[dict[str, Any], datetime] | None,
    events: Iterable[Stored],
) -> Reconciliation:
    projected, projected_at = row or ({"last_event_version": 0}, None)
    version: int = projected["last_event_version"]
    state, logged_version = projection.initial(), 0
    aggregate = projection.aggregate
    for stored in events:
        if stored.version != logged_version + 1:
            raise CorruptStream(
                f"{aggregate.name} {aggregate_id} has no version {logged_version + 1}: the next is {stored.version}"
            )
        logged_version = stored.version
        if logged_version <= version:  # what comes later need not be readable
            for recorded in aggregate.recorded(stored):
                state = projection.apply(state, recorded)
    if row is None:
        return Reconciliation(aggregate_id, logged_version, None, None, ())
    made = projection.row_of(aggregate_id, state, min(version, logged_version))
    folded: dict[str, Any] = msgspec.to_builtins(made)
    times = msgspec.to_builtins(made, builtin_types=(datetime,))
    projected = {
        name: _instant(value) if isinstance(times.get(name), datetime) else value for name, value in projected.items()
    }
    fields = [FieldComparison(name, folded.get(name), projected.get(name)) for name in {**folded, **projected}]
    return Reconciliation(aggregate_id, logged_version, version, projected_at, fields)


def _instant(rendered: str | None) -> Any:
    """A time as PostgreSQL renders it in JSON, in the way that we do."""
    return None if rendered is None else msgspec.to_builtins(datetime.fromisoformat(rendered))
