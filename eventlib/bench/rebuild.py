"""`eventlib bench rebuild`: read models made anew from the log, beside COPY TO of the log."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from eventlib.bench.filling import fill
from eventlib.bench.machine import server_facts
from eventlib.bench.measurement import Benchmark, Floor, Measurement, at_least, interleaved
from eventlib.bench.order_mix import OrderMix
from eventlib.bench.order_workload import settle
from eventlib.bench.scan import copying
from eventlib.errors import EventlibError
from eventlib.orders.projections import ORDER_PROJECTIONS, ORDER_TRACKING
from eventlib.projection import Projection
from eventlib.projections.rebuild import rebuild
from eventlib.projections.tables import ensure_tables
from eventlib.store.connection import Connection, connect
from eventlib.store.scan import partitions
from eventlib.store.scratch_database import scratch_database

UNIT = "events/s"
COPY = "libpq, COPY TO in 1 process"
IN_PYTHON, IN_SQL = "{} folded in Python, {} processes", "{} folded in SQL, {} processes"
PYTHON_AIM, SQL_AIM = 200_000.0, 500_000.0

MIX = OrderMix(orders=500)
PROJECTIONS = (ORDER_PROJECTIONS, ORDER_TRACKING)


def case_of(projection: Projection[Any], processes: int) -> str:
    """The name of the case of a projection."""
    return (IN_SQL if projection.sql_fold else IN_PYTHON).format(projection.name, processes)


def bench_rebuild(
    database_url: str,
    store_partitions: int,
    *,
    events: int,
    rounds: int,
    processes: int | None = None,
    advance: Callable[[int], None] = lambda steps: None,
) -> Benchmark:
    """Rebuild a projection with a fold in Python, and one with a fold in SQL.

    Args:
        database_url: for a role that may create databases; the events go to a scratch database on the same server.
        store_partitions: hash partitions of `event_store` there.
        events: in the log.
        rounds: of which the medians are told.
        processes: that load at once; by default one a processor.
        advance: told how many of `steps(events, rounds)` were taken since the last call.

    Raises:
        EventlibError: a rebuild did not fold every event, so that its duration would mean nothing.
    """
    number = processes or os.cpu_count() or 1
    with scratch_database(database_url, store_partitions) as scratch, connect(scratch, "eventlib bench") as connection:
        ensure_tables(connection, PROJECTIONS)
        fill(connection, MIX.histories(), events, advance)
        settle(connection)
        server = server_facts(connection)
        loops: list[Callable[[], float]] = [
            functools.partial(_rebuild, scratch, projection, number, events, advance) for projection in PROJECTIONS
        ]
        in_python, in_sql, copied = interleaved(
            rounds, *loops, functools.partial(_copy, connection, partitions(connection), events, advance)
        )
    floor = Floor(COPY, copied)
    return Benchmark(
        "rebuild",
        f"The log holds {events:,} events of a mix of orders. A round is a whole rebuild, from starting the "
        "processes to the cut-over, with the comparison of the old table and the new one.",
        [
            Measurement(case_of(ORDER_PROJECTIONS, number), UNIT, in_python, [floor], [at_least(PYTHON_AIM)]),
            Measurement(case_of(ORDER_TRACKING, number), UNIT, in_sql, [floor], [at_least(SQL_AIM)]),
        ],
        server,
        facts={"events": events, "processes": number},
        notes=[
            f"'{COPY}' brings the columns that a fold needs to the client, and looks at none of them.",
            "The fold in Python looks at typed events alone; metadata are brought for old shapes only. A fold in SQL never "
            "leaves the server.",
        ],
    )


def steps(events: int, rounds: int) -> int:
    """How many steps a benchmark has: each event that is loaded, and each that a loop reads."""
    return events * (1 + (len(PROJECTIONS) + 1) * rounds)


def _rebuild(
    url: str, projection: Projection[Any], processes: int, events: int, advance: Callable[[int], None]
) -> float:
    began = time.perf_counter()
    done = rebuild(url, projection, processes=processes)
    took = time.perf_counter() - began
    if done.events != events:
        raise EventlibError(f"a rebuild of {projection.name} folded {done.events} of {events} events: report this")
    advance(events)
    return events / took


def _copy(connection: Connection, names: Sequence[str], events: int, advance: Callable[[int], None]) -> float:
    work = copying(names, connection)
    began = time.perf_counter()
    work()
    took = time.perf_counter() - began
    advance(events)
    return events / took
