"""What eventlib has to know of a read model: whose events it folds, into what, and how that becomes a row. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from eventlib.aggregate import Aggregate
from eventlib.errors import SettingsError
from eventlib.events import Event, Recorded

S = TypeVar("S", bound=msgspec.Struct)

_NAME = re.compile(r"[a-z][a-z0-9_]{0,35}")
_OF_REBUILDS = ("_new", "_old")

Row = msgspec.Struct | dict[str, Any]
"""The columns of one row but `projected_at`, by name; all rows of a projection have the same ones."""


@dataclass(frozen=True)
class Projection(Generic[S]):
    """A read model with one row an aggregate.

    Attributes:
        name: of the projection, of its table, and of its consumer group; does not end in `_new` or `_old`.
        aggregate: whose events it folds.
        initial: the class of the folded state; called without arguments it makes the state before the first event.
        fold: `(state, recorded event) -> state`; or else
        evolve: `(state, event) -> state`, for who does not ask when, by whom or at which version: quicker to rebuild.
        definition: the statements that make the table, which stands in them as `{table}`. It has the columns of a row, and
            `key uuid PRIMARY KEY`, `last_event_version integer`, `projected_at timestamptz`, `snapshot json`, all NOT NULL.
            The state goes on from `snapshot`: `jsonb` does not keep the order of keys.
        key: the column of the aggregate's id.
        version: raised whenever the fold or the table changes, so that no row of before is taken for one of today; a rebuild
            then makes the table anew.
        events: those that `fold` wants to see; the others only move the row's version on. By default all of the aggregate.
        row: `(aggregate id, state, version) -> row`. By default every field of the state is a column.
        sql_fold: the same fold and row in SQL, for quicker rebuilds: a SELECT over a part of the log, `{partition}`, that
            gives the columns of every row. What it gives has to be equal to what `fold` and `row` give.

    Raises:
        SettingsError: the name is not fit for a table, an event is not one of the aggregate, or there is no fold, or two.
    """

    name: str
    aggregate: Aggregate[Any, Any]
    initial: type[S]
    definition: str = field(repr=False)
    fold: Callable[[S, Recorded[Event]], S] | None = None
    evolve: Callable[[S, Any], S] | None = None
    key: str = "aggregate_id"
    version: int = 1
    events: Sequence[type[Event]] | None = None
    row: Callable[[UUID, S, int], Row] | None = None
    sql_fold: str | None = field(default=None, repr=False)
    wanted: frozenset[type[Event]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise SettingsError(f"a projection's name is made of 1 to 36 small letters, digits and _: {self.name!r}")
        if self.name.endswith(_OF_REBUILDS):
            raise SettingsError(
                f"a projection's name does not end in _new or _old, as tables that rebuilds make and drop do: {self.name}"
            )
        if (self.fold is None) == (self.evolve is None):
            raise SettingsError(f"projection {self.name} has either a fold or an evolve")
        wanted = self.aggregate.kinds if self.events is None else frozenset(self.events)
        if foreign := sorted(kind.__name__ for kind in wanted - self.aggregate.kinds):
            raise SettingsError(
                f"projection {self.name} wants {', '.join(foreign)}, which {self.aggregate.name} has not"
            )
        object.__setattr__(self, "wanted", wanted)

    def apply(self, state: S, recorded: Recorded[Event]) -> S:
        """The state after an event, whether the fold wants to see it or not."""
        if type(recorded.event) not in self.wanted:
            return state
        return self.evolve(state, recorded.event) if self.fold is None else self.fold(state, recorded)  # type: ignore[misc]

    def row_of(self, aggregate_id: UUID, state: S, version: int) -> Row:
        """The row of an aggregate whose events up to `version` make `state`."""
        if self.row is not None:
            return self.row(aggregate_id, state, version)
        return {
            self.key: aggregate_id,
            **msgspec.structs.asdict(state),
            "last_event_version": version,
            "snapshot": state,
        }
