"""Reading the whole log, in windows between two moments: nothing is skipped, nothing stalls, no aggregate's order is inverted.

Positions do not follow the order of commits, so a cursor over them skips whoever commits late; numbers of transactions do not
follow the order of writes, so a cursor over them inverts. A window is exact: the events that one moment did not see yet and a
later moment sees, in order of position. Whatever precedes an event of its aggregate was committed before it was written, and is
therefore in an earlier window or earlier in the same one. A moment is a `pg_snapshot`; the next window begins where this one ends.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from eventlib.errors import ServiceUnavailable, StaleCheckpoint
from eventlib.events import Stored
from eventlib.stopping import Stop
from eventlib.store.connection import Connection
from eventlib.store.queries import query

PAGE = 5_000
"""Events in a page, unless asked otherwise."""

FEW = 20_000
"""Positions handed out since the last window, up to which a window is looked up by its transactions."""

POLL_SHORTEST_S, POLL_LONGEST_S = 0.005, 0.1


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far a follower has come; to be kept with the effect of what it has read.

    Attributes:
        log_id: of the log that it follows.
        epoch: of the log, from 1; numbers of transactions count within it.
        cluster: where the epoch began.
        seen: the moment up to which everything was read, as a `pg_snapshot`; None when nothing of the epoch was.
        high: the highest position that was handed out by then.
        window: the later moment up to which the present window goes; None between two windows.
        window_high: the highest position that was handed out by that later moment.
        position: up to which the present window was read.
    """

    log_id: UUID
    epoch: int
    cluster: str
    seen: str | None = None
    high: int = 0
    window: str | None = None
    window_high: int = 0
    position: int = 0

    def to_json(self) -> str:
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, document: str | bytes) -> Checkpoint:
        """Read it back.

        Raises:
            StaleCheckpoint: it is not what `to_json` gives.
        """
        try:
            return msgspec.json.decode(document, type=cls)
        except msgspec.MsgspecError as error:
            raise StaleCheckpoint(f"the checkpoint is not one of eventlib's: {error}") from None


@dataclass(frozen=True)
class Page:
    """Some events of a window, in order of position, and the checkpoint after them.

    Attributes:
        events: as they are stored; `Aggregate.recorded` decodes them.
        checkpoint: to go on from.
        caught_up: nothing more was committed at the moment that the window ends with.
    """

    events: Sequence[Stored]
    checkpoint: Checkpoint
    caught_up: bool


@dataclass(frozen=True)
class _Moment:
    """What `sql/queries/window_look.sql` sees."""

    snapshot: str
    high: int
    log_id: UUID
    cluster: str
    clusters: list[str]
    after_positions: list[int]


def read_page(
    connection: Connection,
    checkpoint: Checkpoint | None = None,
    *,
    limit: int = PAGE,
    aggregate_types: Collection[str] | None = None,
    event_types: Collection[str] | None = None,
) -> Page:
    """The next events of the log after a checkpoint.

    Each call is complete in itself, so it may stand in the transaction that keeps the checkpoint.

    Args:
        checkpoint: from the page before; None for the beginning of the log.
        limit: events at most.
        aggregate_types: only events of these aggregates.
        event_types: only events that were written under these names.

    Raises:
        StaleCheckpoint: the checkpoint is of another log, or the log was set back behind it.
        ServiceUnavailable: this server is a standby, or the log came to it from another one and `eventlib init` has not been
            run since: there, numbers of transactions mean nothing.
    """
