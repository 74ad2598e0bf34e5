"""`eventlib bench scan`: the whole log as typed events, beside COPY of the same columns."""

from __future__ import annotations

import functools
import os
import statistics
from collections import deque
from collections.abc import Callable, Sequence

import psutil
import psycopg
from psycopg import sql
from psycopg.pq import ExecStatus

from eventlib.bench.figures import number
from eventlib.bench.filling import fill
from eventlib.bench.machine import server_facts
from eventlib.bench.measurement import Benchmark, Floor, Measurement, at_least, at_most, interleaved
from eventlib.bench.order_mix import OrderMix
from eventlib.bench.order_workload import settle
from eventlib.bench.workers import Prepare, Workers, workers
from eventlib.errors import EventlibError
from eventlib.orders import ORDER
from eventlib.store.connection import Connection, connect
from eventlib.store.queries import query
from eventlib.store.scan import scan_partition, scan_stored
from eventlib.store.scratch_database import scratch_database

UNIT = "events/s"
PROCESSES = 2
TYPED = "typed events, {} process{}"
MEMORY = "memory that grows in the scanning process"

COPY = "libpq, COPY TO in 1 process"
COPY_SHARED = "libpq, COPY TO in {} processes"
AS_STORED = "events as stored, 1 process"

ONE_AIM, SHARED_AIM, MEMORY_AIM_MIB = 0.5, 0.9, 8.0
LOOPS_PER_ROUND = 5

FIRST_EVENTS = 1_000
"""After so many events, everything that a scan needs but once is there."""

MIX = OrderMix(orders=500)


def typed(processes: int) -> str:
    """The name of the case with that many processes."""
    return TYPED.format(processes, "es" if processes > 1 else "")


def bench_scan(
    database_url: str,
    store_partitions: int,
    *,
    events: int,
    rounds: int,
    processes: int = PROCESSES,
    advance: Callable[[int], None] = lambda steps: None,
) -> Benchmark:
    """Read the whole log as typed events.

    Args:
        database_url: for a role that may create databases; the events go to a scratch database on the same server.
        store_partitions: hash partitions of `event_store` there.
        events: in the log.
        rounds: of which the medians are told.
        processes: that share the partitions out among themselves in the second case, at least 2.
        advance: told how many of `steps(events, rounds)` were taken since the last call.

    Raises:
        EventlibError: a scan did not give every event, so that its duration would mean nothing.
    """
    with scratch_database(database_url, store_partitions) as scratch:
        with connect(scratch, "eventlib bench") as connection:
            fill(connection, MIX.histories(), events, advance)
            settle(connection)
            sizes: dict[str, int] = dict(connection.execute(query("bench_partition_rows")).fetchall())
            server = server_facts(connection)
        with workers(scratch, 1) as one, workers(scratch, processes) as several:
            whole, shares = [list(sizes)], dealt(sizes, processes)
            counted, growth_mib = one.ask(functools.partial(_memory, list(sizes)))
            if counted != events:
                raise EventlibError(f"a scan of {events} events gave {counted}: report this")
            processor_s: list[float] = []
            loops = [
                (one, _scan, whole),
                (several, _scan, shares),
                (one, _as_stored, whole),
                (one, copying, whole),
                (several, copying, shares),
            ]
            rates = [
                functools.partial(_rate, events, loop, pool, parts, advance, processor_s if loop is _scan else [])
                for pool, loop, parts in loops
            ]
            alone, shared, as_stored, copied, copied_shared = interleaved(rounds, *rates)
    floor, shared_floor = Floor(COPY, copied), Floor(COPY_SHARED.format(processes), copied_shared)
    client_us, server_us = 1e6 * statistics.median(processor_s) / events, 1e6 / statistics.median(copied)
    cores = os.cpu_count() or 1
    bound = 1e6 * cores / (client_us + server_us)
    return Benchmark(
        "scan",
        f"The log holds {events:,} events of a mix of orders in {len(sizes)} partitions. Each loop reads all of them, "
        "partition by partition; processes share the partitions out among themselves.",
        [
            Measurement(typed(1), UNIT, alone, [floor, Floor(AS_STORED, as_stored)], [at_least(ONE_AIM, COPY)]),
            Measurement(typed(processes), UNIT, shared, [floor, shared_floor], [at_least(SHARED_AIM, COPY)]),
            Measurement(MEMORY, "MiB", [growth_mib], aims=[at_most(MEMORY_AIM_MIB)]),
        ],
        server,
        facts={
            "events": events,
            "processes": processes,
            "client_us_per_event": client_us,
            "server_us_per_event": server_us,
            "bound_events_per_s": bound,
        },
        notes=[
            f"'{COPY}' and '{COPY_SHARED.format(processes)}' bring the same columns to the client and look at none of them. "
            f"The aims are set against the former, also for {processes} processes.",
            f"What bounds it: an event takes {number(client_us)} µs of a processor to become typed, and the server about "
            f"{number(server_us)} µs to render. Where both share {cores} cores, more processes cannot bring more than about "
            f"{number(bound)} events/s.",
            f"'{AS_STORED}' leaves data and metadata as text. A scan asks the server for one JSON array an event, which "
            "costs the server a little and saves the client more.",
            f"Memory is what the process holds at most while it reads the log, beyond what it held after {FIRST_EVENTS:,} "
            "events; sampled every 1,000 events.",
        ],
    )


def steps(events: int, rounds: int) -> int:
    """How many steps a benchmark has: each event that is loaded, and each that a loop reads."""
    return events * (1 + LOOPS_PER_ROUND * rounds)


def dealt(sizes: dict[str, int], hands: int) -> list[list[str]]:
    """Partitions dealt out so that all hands hold about as many events: the largest first, each to who has the least.

    >>> dealt({"a": 5, "b": 4, "c": 2, "d": 1}, 2)
    [['a', 'd'], ['b', 'c']]
    """
    held: list[tuple[int, list[str]]] = [(0, []) for _ in range(hands)]
    for name, events in sorted(sizes.items(), key=lambda item: -item[1]):
        least = min(range(hands), key=lambda hand: held[hand][0])
        held[least] = (held[least][0] + events, [*held[least][1], name])
    return [names for _, names in held]


def _rate(
    events: int,
    loop: Callable[[Sequence[str], Connection], Callable[[], None]],
    pool: Workers,
    parts: Sequence[Sequence[str]],
    advance: Callable[[int], None],
    processor_s: list[float],
) -> float:
    prepares: list[Prepare] = [functools.partial(loop, partitions) for partitions in parts]
    spent = pool.run(prepares)
    processor_s.append(spent.processor_seconds)
    advance(events)
    return events / spent.seconds


def _scan(partitions: Sequence[str], connection: Connection) -> Callable[[], None]:
    def work() -> None:
        for partition in partitions:
            deque(scan_partition(connection, {ORDER.name: ORDER}, partition), maxlen=0)

    return work


def _as_stored(partitions: Sequence[str], connection: Connection) -> Callable[[], None]:
    def work() -> None:
        for partition in partitions:
            deque(scan_stored(connection, partition), maxlen=0)

    return work


def copying(partitions: Sequence[str], connection: Connection) -> Callable[[], None]:
    """The floor of everything that reads the log: brings all rows of partitions to the client, by libpq alone."""
    statements = [
        sql.SQL(query("bench_copy")).format(partition=sql.Identifier(partition)).as_bytes(connection)
        for partition in partitions
    ]

    def work() -> None:
        for statement in statements:
            _copy_out(connection, statement)

    return work


def _copy_out(connection: Connection, statement: bytes) -> None:
    libpq = connection.pgconn
    if libpq.exec_(statement).status != ExecStatus.COPY_OUT:
        raise psycopg.DatabaseError(libpq.error_message.decode(errors="replace"))
    next_row = libpq.get_copy_data
    while next_row(0)[0] > 0:
        pass
    while (result := libpq.get_result()) is not None:
        if result.status != ExecStatus.COMMAND_OK:
            raise psycopg.DatabaseError(result.error_message.decode(errors="replace"))


def _memory(partitions: Sequence[str], connection: Connection) -> tuple[int, float]:
    """How many events a scan gives, and by how many MiB this process grew over it at most."""
    # Sampled, and not what the system calls a process's peak: that may be of the process that it was forked from.
    process = psutil.Process()
    first = most = counted = 0
    for partition in partitions:
        for _ in scan_partition(connection, {ORDER.name: ORDER}, partition):
            counted += 1
            if counted % FIRST_EVENTS == 0:
                most = max(most, process.memory_info().rss)
                first = first or most
    return counted, (most - first) / 2**20
