"""Reading the whole log: nothing is skipped, nothing stalls behind an open transaction, no aggregate's order is inverted.

Positions do not follow the order of commits, so a cursor over them skips whoever commits late; numbers of transactions do
not follow the order of writes, so a cursor over them inverts. Therefore the log is read in windows. A window is exact: the
events that one moment did not see yet and a later moment sees, in order of position. Whatever precedes an event of its
aggregate was committed before that event was written, and so is in an earlier window, or earlier in the same one. A moment
is a `pg_snapshot`; the next window begins where this one ends.
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
from eventlib.store.connection import Connection, planned_anew
from eventlib.store.epochs import MOVED
from eventlib.store.queries import query

PAGE = 5_000
"""Events in a page, unless asked otherwise."""

FEW = 20_000
"""Positions handed out since the last window, up to which a window is looked up by its transactions."""

POLL_SHORTEST_S, POLL_LONGEST_S = 0.005, 0.1


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far a follower has come; to be kept in the log's own database, with the effect of what it has read.

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
    moment = _look(connection)
    at = _begin(moment, 1) if checkpoint is None else _checked(checkpoint, moment)
    wanted = {
        "aggregate_types": None if aggregate_types is None else list(aggregate_types),
        "event_types": None if event_types is None else list(event_types),
    }
    events: list[Stored] = []
    while True:
        if at.epoch == len(moment.clusters) and at.window is None:
            if at.seen == moment.snapshot:
                return Page(events, at, caught_up=True)
            at = msgspec.structs.replace(at, window=moment.snapshot, window_high=moment.high, position=0)
        for statement, span in _spans(at, moment):
            room = {"limit": limit - len(events)}
            rows = planned_anew(connection, query(statement), {**span, **wanted, **room}).fetchall()
            events.extend(itertools.starmap(Stored, rows))
            if len(events) == limit:
                return Page(events, msgspec.structs.replace(at, position=events[-1].position), caught_up=False)
        if at.window is not None:
            at = msgspec.structs.replace(
                at, seen=at.window, high=at.window_high, window=None, window_high=0, position=0
            )
            if at.epoch == len(moment.clusters):
                return Page(events, at, caught_up=True)
        else:
            at = _begin(moment, at.epoch + 1)


def checkpoint_now(connection: Connection) -> Checkpoint:
    """The checkpoint of a follower that has read all that is committed now. Raises `ServiceUnavailable` as `read_page`."""
    moment = _look(connection)
    return msgspec.structs.replace(_begin(moment, len(moment.clusters)), seen=moment.snapshot, high=moment.high)


def read_all(
    connection: Connection,
    checkpoint: Checkpoint | None = None,
    *,
    limit: int = PAGE,
    aggregate_types: Collection[str] | None = None,
    event_types: Collection[str] | None = None,
) -> Iterator[Page]:
    """The log after a checkpoint, page by page, up to what is committed when the reading begins.

    Arguments and errors as of `read_page`.
    """
    # A window that an earlier reading has left open ends at an earlier moment: what came since is in the next one.
    windows = 1 if checkpoint is None or checkpoint.window is None else 2
    while windows:
        page = read_page(connection, checkpoint, limit=limit, aggregate_types=aggregate_types, event_types=event_types)
        checkpoint = page.checkpoint
        windows -= page.caught_up
        yield page


def follow(
    connection: Connection,
    stop: Stop,
    checkpoint: Checkpoint | None = None,
    *,
    limit: int = PAGE,
    aggregate_types: Collection[str] | None = None,
    event_types: Collection[str] | None = None,
) -> Iterator[Page]:
    """The log after a checkpoint, page by page, until `stop`; waits for more whenever there is no more.

    Args:
        stop: looked at between two pages.
        limit, aggregate_types, event_types: as for `read_page`.

    Yields:
        Pages with events, and now and then one without, so that a follower of rare events can keep its checkpoint.
    """
    pause, yielded_high = POLL_SHORTEST_S, 0
    while not stop:
        page = read_page(connection, checkpoint, limit=limit, aggregate_types=aggregate_types, event_types=event_types)
        checkpoint = page.checkpoint
        if page.events or checkpoint.high - yielded_high > FEW:
            yielded_high = checkpoint.high
            pause = POLL_SHORTEST_S
            yield page
        if page.caught_up:
            stop.wait(pause)
            pause = min(pause * 1.5, POLL_LONGEST_S)


def kept_checkpoint(connection: Connection, follower: str) -> Checkpoint | None:
    """How far a follower has come, as it was kept last; None if it never was."""
    row = connection.execute(query("checkpoint_read"), {"follower": follower}).fetchone()
    return None if row is None else Checkpoint.from_json(row[0])


def keep_checkpoint(connection: Connection, follower: str, checkpoint: Checkpoint) -> None:
    """Remember how far a follower has come; to be called in the transaction that holds the effect of what it has read."""
    connection.execute(query("checkpoint_write"), {"follower": follower, "checkpoint": checkpoint.to_json()})


def _look(connection: Connection) -> _Moment:
    moment = _Moment(*connection.execute(query("window_look")).fetchall()[0])
    if moment.cluster.endswith("/standby"):
        raise ServiceUnavailable(
            "this server is a standby, whose snapshots do not say which transactions are under way: read the whole log "
            "from the primary"
        )
    if moment.cluster != moment.clusters[-1]:
        raise ServiceUnavailable(MOVED)
    return moment


def _begin(moment: _Moment, epoch: int) -> Checkpoint:
    """The beginning of an epoch."""
    return Checkpoint(
        log_id=moment.log_id,
        epoch=epoch,
        cluster=moment.clusters[epoch - 1],
        high=moment.after_positions[epoch - 1],
        position=moment.after_positions[epoch - 1],
    )


def _checked(checkpoint: Checkpoint, moment: _Moment) -> Checkpoint:
    """The checkpoint, if the log still holds what it says was read.

    Raises:
        StaleCheckpoint: it does not.
    """
    what_to_do = "Begin again from the beginning of the log, or from what the follower itself has kept."
    if checkpoint.log_id != moment.log_id:
        raise StaleCheckpoint(
            f"the checkpoint is of log {checkpoint.log_id}, and this is {moment.log_id}. {what_to_do}"
        )
    epoch = checkpoint.epoch
    if epoch > len(moment.clusters) or moment.clusters[epoch - 1] != checkpoint.cluster:
        raise StaleCheckpoint(
            f"the checkpoint is of epoch {epoch} on {checkpoint.cluster}, which this log never was in: it was set back to "
            f"an earlier state. {what_to_do}"
        )
    high = max(checkpoint.high, checkpoint.window_high)
    last = moment.high if epoch == len(moment.clusters) else moment.after_positions[epoch]
    moments = [_xmax(one) for one in (checkpoint.seen, checkpoint.window) if one is not None]
    set_back = epoch == len(moment.clusters) and max(moments, default=0) > _xmax(moment.snapshot)
    if high > last or set_back:
        raise StaleCheckpoint(
            f"the checkpoint has seen position {high}, and the log, which was set back, ends at {last}. {what_to_do}"
        )
    return checkpoint


def _spans(at: Checkpoint, moment: _Moment) -> Iterator[tuple[str, dict[str, Any]]]:
    """The statements that together read what is left of a window, in order of position.

    Two ways lead to its events. By transaction: quick when they are few, or lie far behind; by position: quick when they
    are many, since it needs no sorting. In an epoch that has ended, everything was committed: its last window has no end.
    """
    first = moment.after_positions[at.epoch - 1]
    last = at.window_high if at.window is not None else moment.after_positions[at.epoch]
    after = max(at.position, first)
    if at.seen is None:
        yield "window_by_position", {"after": after, "until": last, "seen": None, "window": at.window}
        return
    xmax, in_progress = parsed_snapshot(at.seen)
    late = {"seen_xmax": xmax, "seen_in_progress": in_progress, "window": at.window}
    if at.window is None:
        # Beyond the highest position of that moment nothing was seen, and transactions may be numbered anew already: the
        # log may have been appended to where it came to, before the new epoch began.
        if after < at.high:
            yield "window_by_transaction", {**late, "after": after, "until": at.high}
        yield "window_by_position", {"after": max(after, at.high), "until": last, "seen": None, "window": None}
        return
    few = last - at.high <= FEW
    if few or after < at.high:
        yield "window_by_transaction", {**late, "after": after, "until": last if few else at.high}
    if not few:
        yield (
            "window_by_position",
            {"after": max(after, at.high), "until": last, "seen": at.seen, "window": at.window},
        )


def parsed_snapshot(snapshot: str) -> tuple[str, list[str]]:
    """The xmax and the transactions in progress of a `pg_snapshot`, which is rendered as `xmin:xmax:xip,xip`.

    >>> parsed_snapshot("10:20:10,14"), parsed_snapshot("7:7:")
    (('20', ['10', '14']), ('7', []))
    """
    _, xmax, in_progress = snapshot.split(":")
    return xmax, in_progress.split(",") if in_progress else []


def _xmax(snapshot: str) -> int:
    return int(parsed_snapshot(snapshot)[0])
