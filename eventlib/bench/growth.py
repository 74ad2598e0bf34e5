"""`eventlib bench growth`: whether appends and loads stay as fast when the log grows, and what it takes on the disk."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from eventlib.bench.filling import fill
from eventlib.bench.machine import server_facts
from eventlib.bench.measurement import Benchmark, Floor, Measurement, interleaved
from eventlib.bench.order_mix import OrderMix
from eventlib.bench.order_workload import command_metadata, item_added, long_history, settle, write_histories
from eventlib.orders import ORDER
from eventlib.store.connection import Connection
from eventlib.store.event_store import Store
from eventlib.store.queries import query
from eventlib.store.scratch_database import scratch_database
from eventlib.store.snapshots import Loaded, save_snapshot

UNIT = "ms"
EVENTS, START = 1_000_000, 100_000
SUBJECTS = 20
"""Orders of each kind that are loaded in turn; as many appends are one measurement."""

LEAST = SUBJECTS * (50 + 50 + 1_000)
"""Events of the orders that are loaded, with which the log begins."""

APPEND = "append of one event"
CASES = (APPEND, "load, 50 events", "load, 50 events, snapshot", "load, 1,000 events, snapshot")
MIX = OrderMix(orders=500)


@dataclass(frozen=True)
class DiskUse:
    """Bytes that a table, without its indexes, or one index takes on the disk, over all partitions."""

    table: str
    name: str
    size: int


def at(case: str, events: int) -> str:
    """The name of a case at a size of the log."""
    return f"{case}, at {events:,}"


def steps(events: int, rounds: int) -> int:
    """How many steps a benchmark has: each event that is loaded, and a thousand for each measurement."""
    return events + 2 * rounds * len(CASES) * _STEP


_STEP = 1_000


def bench_growth(
    database_url: str,
    store_partitions: int,
    *,
    events: int,
    rounds: int,
    start: int = START,
    advance: Callable[[int], None] = lambda steps: None,
) -> Benchmark:
    """Measure an append and loads in a log of `start` events, and again when it has grown to `events`.

    Args:
        database_url: for a role that may create databases; the events go to a scratch database on the same server.
        store_partitions: hash partitions of `event_store` there.
        events: in the log at the end, more than `start`; each takes about half a kilobyte of the disk.
        rounds: at each size, of which the medians are told.
        start: events in the log at first, at least `LEAST`.
        advance: told how many of `steps(events, rounds)` were taken since the last call.
    """
    if start < LEAST:
        raise ValueError(
            f"the orders that are loaded have {LEAST:,} events themselves: {start:,} in the log are too few"
        )
    if events <= start:
        raise ValueError(f"a log that grows from {start:,} to {events:,} events does not grow")
    histories = MIX.histories()
    with scratch_database(database_url, store_partitions) as scratch, Store.open(scratch, "eventlib bench") as store:
        subjects = [_subjects(store, 50, 0), _subjects(store, 50, 50), _subjects(store, 1_000, 1_000)]
        loads = [
            functools.partial(_load, store, ids, use_snapshots=index > 0, advance=advance)
            for index, ids in enumerate(subjects)
        ]
        measures = [functools.partial(_append, store, advance), *loads]
        values, disk = [], []
        there = LEAST
        advance(there)
        for size in (start, events):
            fill(store.connection, histories, size - there, advance)
            there = size
            settle(store.connection)
            values.append(interleaved(rounds, *measures))
            disk.append(_disk(store.connection))
        server = server_facts(store.connection)
    before, after = values
    return Benchmark(
        "growth",
        f"The log is filled with orders of a mix, measured at {start:,} events, filled further, and measured again at "
        f"{events:,}. A measurement is {SUBJECTS} appends to new orders, or loads of {SUBJECTS} orders one after the other.",
        [
            result
            for case, early, late in zip(CASES, before, after)
            for result in (
                Measurement(at(case, start), UNIT, early),
                Measurement(at(case, events), UNIT, late, [Floor(f"at {start:,}", early)]),
            )
        ],
        server,
        facts={
            "start": start,
            "events": events,
            "disk": [
                {"table": late.table, "name": late.name, "bytes_at_start": early.size, "bytes": late.size}
                for early, late in zip(*disk)
            ],
        },
        notes=[
            "The two sizes cannot take turns: what else the machine does meanwhile is in the ratios.",
            "The orders that are loaded are loaded again and again, and therefore in memory. An order that nobody has "
            "looked at for long comes from the disk, whatever the size of the log.",
            f"At each size the appends that are measured add {rounds * SUBJECTS:,} events to it.",
        ],
    )


def disk_used(benchmark: Benchmark) -> list[tuple[DiskUse, DiskUse]]:
    """What each table and index took at first, and in the end."""
    return [
        (DiskUse(one["table"], one["name"], one["bytes_at_start"]), DiskUse(one["table"], one["name"], one["bytes"]))
        for one in benchmark.facts["disk"]
    ]


def _subjects(store: Store, length: int, snapshot: int) -> list[UUID]:
    """Orders of some length, with a snapshot of a version unless that is 0."""
    histories = [long_history(length, seed=number) for number in range(SUBJECTS)]
    order_ids = write_histories(store.connection, histories)
    for order_id, history in zip(order_ids, histories):
        if snapshot:
            loaded = Loaded(ORDER.fold(event for event, _ in history[:snapshot]), snapshot)
            save_snapshot(store.connection, ORDER, order_id, loaded)
    return order_ids


def _load(store: Store, ids: Sequence[UUID], *, use_snapshots: bool, advance: Callable[[int], None]) -> float:
    durations = []
    for order_id in ids:
        began = time.perf_counter()
        store.load(ORDER, order_id, use_snapshots=use_snapshots)
        durations.append(time.perf_counter() - began)
    advance(_STEP)
    return 1000 * statistics.median(durations)


def _append(store: Store, advance: Callable[[int], None]) -> float:
    durations = []
    for _ in range(SUBJECTS):
        order_id, metadata, event = uuid4(), command_metadata(), item_added()
        began = time.perf_counter()
        store.append(ORDER, order_id, 0, [event], metadata)
        durations.append(time.perf_counter() - began)
    advance(_STEP)
    return 1000 * statistics.median(durations)


def _disk(connection: Connection) -> list[DiskUse]:
    return [DiskUse(*row) for row in connection.execute(query("bench_disk"))]
