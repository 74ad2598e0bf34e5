"""What eventlib has to know of a read model: whose events it folds, into what, and how that becomes a row. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from eventlib.aggregate import Aggregate
from eventlib.events import Event, Recorded

S = TypeVar("S", bound=msgspec.Struct)
R = TypeVar("R", bound=msgspec.Struct)


@dataclass(frozen=True)
class Projection(Generic[S, R]):
    """A read model with one row an aggregate.

    Its statements are in `sql/queries`, named after it: `<name>_read` returns (key, version, state as text) of the rows with
    the given keys; `<name>_write` inserts or updates rows, given as one JSON document, unless a newer one is there;
    `<name>_rows`, `<name>_orphans` and `<name>_lag` serve reconciliation and the measurement of its freshness.

    Attributes:
        name: of the projection, of its table, and of its consumer group.
        aggregate: whose events it folds.
        initial: the class of the folded state; called without arguments it makes the state before the first event.
        fold: `(state, recorded event) -> state`.
        row: `(aggregate id, state, version) -> row`, all of the table's columns but the time of projection.
    """

    name: str
    aggregate: Aggregate[Any, Any]
    initial: type[S]
    fold: Callable[[S, Recorded[Event]], S]
    row: Callable[[UUID, S, int], R]

    def replay(self, events: Iterable[Recorded[Event]], until: int | None = None) -> tuple[S, int]:
        """Fold an aggregate's events from the first one on, holding one at a time.

        Args:
            until: only versions up to it are folded; by default all.

        Returns:
            The state after the last event folded, and the version of the last event of all.
        """
        state, version = self.initial(), 0
        for recorded in events:
            version = recorded.version
            if until is None or version <= until:
                state = self.fold(state, recorded)
        return state, version
