"""Loading: the rows of one partition of the log, in one transaction."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from eventlib.errors import CorruptStream, EventlibError, UnreadableEvent
from eventlib.projection import Projection, Row
from eventlib.projections.copy_rows import copying_rows
from eventlib.projections.parking import Poison, park
from eventlib.projections.rows import REFUSALS, columns_of, load_rows
from eventlib.store.connection import Connection
from eventlib.store.queries import query
from eventlib.store.stream_scan import scan_stream_events, scan_streams, scan_streams_stored

BATCH_ROWS = 1_000
BATCH_EVENTS = 5_000

Advance = Callable[[int], None]

log = logging.getLogger(__name__)


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
    in the way that finds out which, and leaves only that aggregate behind; why is logged.

    Args:
        reader: busy with the log meanwhile.
        writer: writes the rows.
        new: the projection, under the name of the table without keys.
        advance: told the number of events done since the last call; may be told some of them twice.
    """
    ways: list[Callable[[], tuple[int, int]]] = [
        lambda: _streamed(reader, writer, new, partition, advance),
        lambda: _one_by_one(reader, writer, new, partition, advance),
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
            except Exception as error:
                of_the_database = isinstance(error, psycopg.OperationalError) and not isinstance(error, REFUSALS)
                if of_the_database or way is ways[-1]:
                    raise
                log.warning(
                    "%s: %s is loaded again in a slower way: %s", new.name, partition, str(error).strip() or repr(error)
                )
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
    types, schema_versions = zip(*sorted(new.aggregate.shapes))
    known = {"types": list(types), "schema_versions": list(schema_versions)}
    rows, events, (present, unknown) = writer.execute(statement, known).fetchall()[0]
    # Versions begin with 1, and none comes twice: where they add up to the number of events, none is missing.
    if unknown or events != present:
        raise UnreadableEvent(f"a fold in SQL cannot stop at what is wrong in {partition}")
    advance(events)
    return rows, events


def _streamed(
    reader: Connection, writer: Connection, new: Projection[Any], partition: str, advance: Advance
) -> tuple[int, int]:
    rows = events = told = 0
    folded = _recorded_folded if new.evolve is None else _events_folded
    with closing(folded(reader, new, partition)) as states, ExitStack() as copying:
        write: Callable[[Row], None] | None = None
        for aggregate_id, state, version in states:
            row = new.row_of(aggregate_id, state, version)
            if write is None:
                write = copying.enter_context(copying_rows(writer, new, row))
            write(row)
            rows += 1
            events += version
            if events - told >= BATCH_EVENTS:
                advance(events - told)
                told = events
    advance(events - told)
    return rows, events


Folded = Generator[tuple[UUID, Any, int], None, None]
"""Of every stream its aggregate, the folded state, and the version that it is of."""


def _recorded_folded(reader: Connection, new: Projection[Any], partition: str) -> Folded:
    """Raises `CorruptStream` when a version is missing, and what decoding and the fold raise."""
    fold, wanted = new.fold, new.wanted
    assert fold is not None
    present, state, version = None, new.initial(), 0
    with closing(scan_streams(reader, new.aggregate, partition)) as streams:
        for aggregate_id, events in streams:
            if aggregate_id != present:
                if present is not None:
                    yield present, state, version
                present, state, version = aggregate_id, new.initial(), 0
            for recorded in events:
                if recorded.version != version + (not recorded.part):
                    raise _hole(aggregate_id, version, recorded.version)
                version = recorded.version
                if type(recorded.event) in wanted:
                    state = fold(state, recorded)
    if present is not None:
        yield present, state, version


def _events_folded(reader: Connection, new: Projection[Any], partition: str) -> Folded:
    """The same for a projection that looks at events alone."""
    evolve, wanted = new.evolve, new.wanted
    assert evolve is not None
    all_wanted = wanted == new.aggregate.kinds
    present, state, version = None, new.initial(), 0
    with closing(scan_stream_events(reader, new.aggregate, partition)) as streams:
        for aggregate_id, first, last, events in streams:
            if aggregate_id != present:
                if present is not None:
                    yield present, state, version
                present, state, version = aggregate_id, new.initial(), 0
            if first != version + 1:
                raise _hole(aggregate_id, version, first)
            for event in events:
                if all_wanted or type(event) in wanted:
                    state = evolve(state, event)
            version = last
    if present is not None:
        yield present, state, version


def _hole(aggregate_id: UUID, version: int, following: int) -> CorruptStream:
    return CorruptStream(f"{aggregate_id} has no version {version + 1}: what follows is {following}")


def _one_by_one(
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
        except (*REFUSALS, TypeError, ValueError) as error:
            if len(candidates) == 1:
                ((_, about),) = candidates
                reason = f"the table refuses its row: {str(error).strip()}"
                poison.append(Poison(about.aggregate_id, about.version, about.place, reason))
                return 0
            return sum(write([one]) for one in candidates)

    streams = scan_streams_stored(reader, new.aggregate, partition)
    for aggregate_id, parts in itertools.groupby(streams, key=lambda part: part[0]):
        state, version, problem = new.initial(), 0, None
        for stored in itertools.chain.from_iterable(events for _, events in parts):
            events += 1
            if problem is not None:
                continue
            place = f"position {stored.position} of the log"
            try:
                if stored.version != version + 1:
                    raise _hole(aggregate_id, version, stored.version)
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
