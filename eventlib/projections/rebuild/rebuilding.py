"""Rebuilding: loading in parallel, keys, catching up, comparison, cut-over; after a kill it goes on where it was."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import (
    FIRST_EXCEPTION,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing.sharedctypes import Synchronized
from typing import Any

import psycopg

from eventlib.child_process import begin_child
from eventlib.errors import ProjectionError
from eventlib.projection import Projection
from eventlib.projections.parking import parked_counts
from eventlib.projections.rebuild.build import Build, advance, begin, finish_loading, parts_of, take_turn, with_table
from eventlib.projections.rebuild.catching_up import catch_up
from eventlib.projections.rebuild.comparison import Comparison, compare
from eventlib.projections.rebuild.cut_over import cut_over
from eventlib.projections.rebuild.loading import load_part
from eventlib.projections.tables import table_of
from eventlib.store.connection import Connection, connect
from eventlib.store.event_store import Store
from eventlib.store.queries import query
from eventlib.store.scan import partitions

POLL_S = 0.2

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many events are done, and about how many there are."""


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild has done.

    Attributes:
        rows: that were loaded.
        events: that they were folded from.
        resumed: how many of the partitions an earlier run, which was interrupted, had loaded.
        caught_up: events that were written meanwhile and applied after the loading.
        parked: aggregates that were left behind at an event that the fold cannot take.
        parked_before: aggregates that the table which was there before has left behind.
        cut_over: whether readers see the new table.
        comparison: with the table that was there before; None when there was none.
        seconds: that loading took, without what an earlier run had done.
    """

    rows: int
    events: int
    resumed: int
    caught_up: int
    parked: int
    parked_before: int
    cut_over: bool
    comparison: Comparison | None
    seconds: float


def rebuild(
    owner_url: str,
    projection: Projection[Any],
    *,
    processes: int | None = None,
    fresh: bool = False,
    hold: bool = False,
    even_if_parked: bool = False,
    progress: Progress = lambda doing, done, of: None,
) -> Rebuilt:
    """Make a projection anew from the log, while readers and projectors go on with the old one.

    Args:
        owner_url: of the database, for the role that owns the schema.
        processes: that load at once; by default as many as there are processors, at most one for each partition. A
            projection that no module has a name for is loaded by one.
        fresh: do not go on with a rebuild that was interrupted.
        hold: stop before the cut-over. The next rebuild goes on from there, unless the declaration of the projection has
            changed. What its functions do is not looked at: begin afresh when that has changed.
        even_if_parked: change the tables although more aggregates are left behind than before. By default a rebuild stops
            then as with `hold`.

    Raises:
        ProjectionError: another rebuild of the same projection is under way, the role does not own the schema, the new table
            cannot be made beside the present one, something depends on that, or a process that loads was killed.
    """
    with Store.open(owner_url, f"eventlib rebuild of {projection.name}") as store:
        connection = store.connection
        take_turn(connection, projection)
        try:
            build = begin(connection, projection, fresh=fresh)
        except psycopg.errors.InsufficientPrivilege as error:
            raise ProjectionError(
                f"a rebuild makes tables, and this role may not ({str(error).strip()}): EVENTLIB_DATABASE_OWNER_URL names "
                "the one that owns the schema"
            ) from None
        began = time.monotonic()
        if not build.loaded:
            _load(connection, owner_url, build, processes, progress)
            progress("making keys", 0, 0)
            finish_loading(connection, build)
        seconds = time.monotonic() - began
        loaded = parts_of(connection, build.projection)
        keep = partial(advance, connection, build.projection)
        checkpoint, caught_up = catch_up(
            store, build.projection, build.checkpoint, keep, lambda events: progress("catching up", events, 0)
        )
        progress("comparing", 0, 0)
        present = table_of(connection, projection)
        comparison = compare(connection, projection, build.projection) if present else None
        parked_before = parked_counts(connection, [projection.name]).get(projection.name, 0)
        done = False
        if not hold:
            # What was written while the tables were compared is applied before readers have to wait.
            checkpoint, meanwhile = catch_up(store, build.projection, checkpoint, keep)
            caught_up += meanwhile
            done = cut_over(store, projection, checkpoint, even_if_parked=even_if_parked)
        name = projection.name if done else build.projection.name
        return Rebuilt(
            rows=sum(rows for _, rows, _ in loaded),
            events=sum(events for _, _, events in loaded),
            resumed=len(build.parts),
            caught_up=caught_up,
            parked=parked_counts(connection, [name]).get(name, 0),
            parked_before=parked_before,
            cut_over=done,
            comparison=comparison,
            seconds=seconds,
        )


def _load(connection: Connection, owner_url: str, build: Build, processes: int | None, progress: Progress) -> None:
    sizes: dict[str, int] = dict(connection.execute(query("partition_sizes")).fetchall())
    of = max(0, sum(sizes.values()))
    before = sum(events for _, events in build.parts.values())
    # The largest first, so that the last ones to be loaded are short.
    left = sorted(set(partitions(connection)) - build.parts.keys(), key=lambda name: -sizes[name])
    if not left:
        return
    progress("loading", before, of)
    place = place_of(build.projection)
    number = min(processes or os.cpu_count() or 1, len(left))
    if number == 1 or place is None:
        done = before

        def advance(events: int) -> None:
            nonlocal done
            done += events
            progress("loading", done, of)

        with _reader(owner_url) as reader, _writer(owner_url) as writer:
            for partition in left:
                load_part(reader, writer, build.projection, partition, advance)
        return
    if build.projection.sql_fold is not None:  # the server does the work: nothing is gained by processes
        _load_in_threads(owner_url, build, left, number, before, of, progress)
        return
    context = multiprocessing.get_context("spawn")
    counter: Synchronized[int] = context.Value("q", before)
    try:
        with ProcessPoolExecutor(number, context, _begin, (owner_url, place, build.projection.name, counter)) as pool:
            running = [pool.submit(_load_mine, partition) for partition in left]
            _await(pool, running, lambda: progress("loading", counter.value, of))
    except BrokenProcessPool:
        raise ProjectionError(
            f"a process that was loading {build.projection.name} has ended before its work was done: killed, out of memory, "
            "or it could not begin, as it has said itself then. Partitions that are loaded are kept: rebuild again to go "
            "on, perhaps with fewer --processes"
        ) from None


def _load_in_threads(
    owner_url: str, build: Build, left: list[str], number: int, before: int, of: int, progress: Progress
) -> None:
    done = [before]
    local = threading.local()
    opened: list[Connection] = []

    def load(partition: str) -> None:
        if not hasattr(local, "connections"):
            local.connections = _reader(owner_url), _writer(owner_url)
            opened.extend(local.connections)
        reader, writer = local.connections
        load_part(reader, writer, build.projection, partition, done.append)

    with ThreadPoolExecutor(number) as pool:
        try:
            running = [pool.submit(load, partition) for partition in left]
            _await(pool, running, lambda: progress("loading", sum(done), of))
        finally:
            pool.shutdown(cancel_futures=True)
            for connection in opened:
                connection.close()


def _await(pool: Executor, running: Sequence[Future[None]], show: Callable[[], None]) -> None:
    """Wait until all is done, or the first has failed."""
    try:
        while True:
            finished, unfinished = wait(running, POLL_S, FIRST_EXCEPTION)
            show()
            for one in finished:
                one.result()
            if not unfinished:
                return
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def _reader(owner_url: str) -> Connection:
    connection = connect(owner_url, "eventlib rebuild reader")
    connection.execute("SET work_mem TO '128MB'")  # a partition is sorted
    return connection


def _writer(owner_url: str) -> Connection:
    connection = connect(owner_url, "eventlib rebuild")
    connection.execute("SET work_mem TO '128MB'")
    connection.execute(
        "SET synchronous_commit TO off"
    )  # the cut-over waits for the disk, and with it for all before it
    return connection


def place_of(projection: Projection[Any]) -> tuple[str, str] | None:
    """The module and the name under which another process finds a projection; None when it has none."""
    functions = [one for one in (projection.fold, projection.row, projection.evolve) if one is not None]
    for module in dict.fromkeys([*(one.__module__ for one in functions), projection.initial.__module__]):
        for name, value in vars(sys.modules[module]).items():
            if isinstance(value, Projection) and with_table(value, projection.name) == projection:
                return (module, name) if module != "__main__" else None
    return None


_mine: dict[str, Any] = {}


def _begin(owner_url: str, place: tuple[str, str], name: str, counter: Synchronized[int]) -> None:
    begin_child()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    module, attribute = place
    projection = with_table(getattr(importlib.import_module(module), attribute), name)
    _mine.update(
        projection=projection,
        reader=_reader(owner_url),
        writer=_writer(owner_url),
        counter=counter,
    )


def _load_mine(partition: str) -> None:
    counter = _mine["counter"]

    def advance(events: int) -> None:
        with counter.get_lock():
            counter.value += events

    load_part(_mine["reader"], _mine["writer"], _mine["projection"], partition, advance)
