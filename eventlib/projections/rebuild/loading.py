"""Loading: the rows of one partition of the log, in one transaction."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from eventlib.errors import CorruptStream, EventlibError, UnreadableEvent
from eventlib.events import Event, Recorded
from eventlib.projection import Projection, Row
from eventlib.projections.parking import Poison, park
from eventlib.projections.rows import columns_of, load_rows
from eventlib.store.connection import Connection
from eventlib.store.queries import query
from eventlib.store.scan import scan_streams, scan_streams_stored

BATCH_ROWS = 1_000
BATCH_EVENTS = 5_000

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Loaded:
    """What was loaded from a partition; nothing when somebody else had loaded it before."""

    rows: int
    events: int


def load_part(
    reader: Connection, writer: Connection, new: Projection[Any], partition: str, advance: Advance
) -> Loaded | None:
    """Load one partition of the log, all of it or nothing.

    The quickest way that the projection offers is tried first. When an event or a row makes trouble there, all is done again
    in the way that finds out which, and leaves only that aggregate behind.

    Args:
        reader: busy with the log meanwhile.
        writer: writes the rows.
        new: the projection, under the name of the table without keys.
        advance: told the number of events done since the last call; may be told some of them twice.
    """
    ways: list[Callable[[], tuple[int, int]]] = [
        lambda: _streamed(reader, writer, new, partition, advance),
        lambda: _patiently(reader, writer, new, partition, advance),
    ]
    if new.sql_fold is not None:
        ways.insert(0, lambda: _in_sql(writer, new, partition, advance))
    with writer.transaction():
        claim = {"projection": new.name, "partition": partition}
        if writer.execute(query("build_part_begin"), claim).fetchone() is None:
            return None
        for way in ways:
            try:
                with writer.transaction():
                    rows, events = way()
                break
            except psycopg.OperationalError:
                raise
            except Exception:
                if way is ways[-1]:
                    raise
        writer.execute(query("build_part_end"), {**claim, "rows": rows, "events": events})
    return Loaded(rows, events)


def _in_sql(writer: Connection, new: Projection[Any], partition: str, advance: Advance) -> tuple[int, int]:
    assert new.sql_fold is not None
    columns = [sql.Identifier(column) for column in columns_of(new.row_of(UUID(int=0), new.initial(), 0))]
    fold = sql.SQL(new.sql_fold).format(partition=sql.Identifier(partition))
    statement = sql.SQL(query("projection_fold")).format(
        table=sql.Identifier(new.name),
        columns=sql.SQL(", ").join(columns),
        fold=fold,
        partition=sql.Identifier(partition),
        aggregate_type=sql.Literal(new.aggregate.name),
    )
    known = [f"{event_type} {schema_version}" for event_type, schema_version in new.aggregate.shapes]
    rows, events, trouble = writer.execute(statement, {"known": known}).fetchall()[0]
    if trouble:
        raise UnreadableEvent(f"a fold in SQL cannot stop at the event in {partition} that nobody can read")
    advance(events)
    return rows, events


def _streamed(
    reader: Connection, writer: Connection, new: Projection[Any], partition: str, advance: Advance
) -> tuple[int, int]:
    rows = events = told = 0
    pending: list[Row] = []
    with closing(scan_streams(reader, new.aggregate, partition)) as log:
        for row, count in _folded(new, log):
            pending.append(row)
            events += count
            if len(pending) == BATCH_ROWS:
                load_rows(writer, new, pending)
                rows += len(pending)
                pending.clear()
            if events - told >= BATCH_EVENTS:
                advance(events - told)
                told = events
    load_rows(writer, new, pending)
    advance(events - told)
    return rows + len(pending), events


def _folded(new: Projection[Any], events: Iterable[Recorded[Event]]) -> Iterator[tuple[Row, int]]:
    """Every row with the number of its events.

    Raises:
        CorruptStream: a version is missing.
    """
    fold, wanted, row_of, initial = new.fold, new.wanted, new.row_of, new.initial
    aggregate_id, state, version = None, None, 0
    for recorded in events:
        if recorded.aggregate_id != aggregate_id:
            if aggregate_id is not None:
                yield row_of(aggregate_id, state, version), version
            aggregate_id, state, version = recorded.aggregate_id, initial(), 0
        if recorded.version != version + (not recorded.part):
            raise CorruptStream(f"{aggregate_id} has no version {version + 1}: the next is {recorded.version}")
        version = recorded.version
        if type(recorded.event) in wanted:
            state = fold(state, recorded)
    if aggregate_id is not None:
        yield row_of(aggregate_id, state, version), version


def _patiently(
    reader: Connection, writer: Connection, new: Projection[Any], partition: str, advance: Advance
) -> tuple[int, int]:
    rows = events = 0
    pending: list[tuple[Row, Poison]] = []
    poison: list[Poison] = []

    def write(candidates: Sequence[tuple[Row, Poison]]) -> int:
        try:
            with writer.transaction():
                load_rows(writer, new, [row for row, _ in candidates])
            return len(candidates)
        except (psycopg.DataError, psycopg.IntegrityError, TypeError, ValueError) as error:
            if len(candidates) == 1:
                ((_, about),) = candidates
                reason = f"the table refuses its row: {str(error).strip()}"
                poison.append(Poison(about.aggregate_id, about.version, about.place, reason))
                return 0
            return sum(write([one]) for one in candidates)

    stored_events = scan_streams_stored(reader, new.aggregate, partition)
    for aggregate_id, stream in itertools.groupby(stored_events, key=lambda stored: stored.aggregate_id):
        state, version, problem = new.initial(), 0, None
        for stored in stream:
            events += 1
            if problem is not None:
                continue
            place = f"position {stored.position} of the log"
            try:
                if stored.version != version + 1:
                    raise CorruptStream(f"{aggregate_id} has no version {version + 1}: the next is {stored.version}")
                after = state
                for recorded in new.aggregate.recorded(stored):
                    after = new.apply(after, recorded)
            except EventlibError as error:
                problem = Poison(aggregate_id, version + 1, place, str(error))
            except Exception as error:
                problem = Poison(aggregate_id, version + 1, place, f"it cannot be folded: {error!r}")
            else:
                state, version = after, stored.version
        if problem is not None:
            poison.append(problem)
        if version:
            about = Poison(aggregate_id, 1, f"the log up to version {version}", "")
            try:
                pending.append((new.row_of(aggregate_id, state, version), about))
            except Exception as error:
                reason = f"its state at version {version} does not become a row: {error!r}"
                poison.append(Poison(aggregate_id, 1, about.place, reason))
        if len(pending) == BATCH_ROWS:
            rows += write(pending)
            pending.clear()
            advance(0)
    rows += write(pending) if pending else 0
    park(writer, new.name, poison)
    return rows, events
