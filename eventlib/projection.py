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

    def replay(self, events: Iterable[Recorded[Event]]) -> S:
        """The state after all of an aggregate's events, from the first one on."""
        state = self.initial()
        for recorded in events:
            state = self.fold(state, recorded)
        return state
