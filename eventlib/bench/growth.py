"""`eventlib bench growth`: whether appends and loads are as fast in a large log as in a small one, and what each takes."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from uuid import UUID, uuid4

from eventlib.bench.filling import fill
from eventlib.bench.machine import server_facts
from eventlib.bench.measurement import Benchmark, Floor, Measurement, at_most, interleaved
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

AIM = 1.3
"""Times the duration in the small log that one in the large log may take."""

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


def steps(events: int, rounds: int, start: int = START) -> int:
    """How many steps a benchmark has: each event that is loaded, and a thousand for each measurement."""
    return start + events + 2 * rounds * len(CASES) * _STEP


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
    """Measure an append and loads in a log of `start` events and in one of `events`, in turns.

    Args:
        database_url: for a role that may create databases; both logs are in scratch databases on the same server.
        store_partitions: hash partitions of `event_store` in both.
        events: in the large log, more than `start`; each takes about 0.7 kilobytes of the disk, indexes included.
        rounds: of which the medians are told.
        start: events in the small log, at least `LEAST`.
        advance: told how many of `steps(events, rounds, start)` were taken since the last call.
    """
    if start < LEAST:
        raise ValueError(
            f"the orders that are loaded have {LEAST:,} events themselves: {start:,} in the log are too few"
        )
    if events <= start:
        raise ValueError(f"a log that grows from {start:,} to {events:,} events does not grow")
    with ExitStack() as opened:
        logs = [_log(opened, database_url, store_partitions, size, advance) for size in (start, events)]
        subjects = [_subjects(store) for store in logs]
        for store in logs:
            settle(store.connection)
        disk = [_disk(store.connection) for store in logs]
        # The two logs take turns, or what else the machine does meanwhile would be in the ratios.
        measures = [
            measure
            for case in range(len(CASES))
            for measure in (_measure(store, ids, case, advance) for store, ids in zip(logs, subjects))
        ]
        values = interleaved(rounds, *measures)
        server = server_facts(logs[0].connection)
    before, after = values[::2], values[1::2]
    return Benchmark(
        "growth",
        f"Two logs hold orders of a mix: one {start:,} events, one {events:,}. They take turns in each round. A measurement "
        f"is {SUBJECTS} appends to new orders, or loads of {SUBJECTS} orders one after the other.",
        [
            result
            for case, early, late in zip(CASES, before, after)
            for result in (
                Measurement(at(case, start), UNIT, early),
                Measurement(
                    at(case, events), UNIT, late, [Floor(f"at {start:,}", early)], [at_most(AIM, f"at {start:,}")]
                ),
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
            "The orders that are loaded are loaded again and again, and therefore in memory. An order that nobody has "
            "looked at for long comes from the disk, whatever the size of the log.",
            f"The appends that are measured add {rounds * SUBJECTS:,} events to each log.",
        ],
    )


def disk_used(benchmark: Benchmark) -> list[tuple[DiskUse, DiskUse]]:
    """What each table and index takes in the small log, and in the large one."""
    return [
        (DiskUse(one["table"], one["name"], one["bytes_at_start"]), DiskUse(one["table"], one["name"], one["bytes"]))
        for one in benchmark.facts["disk"]
    ]


def _log(
    opened: ExitStack, database_url: str, store_partitions: int, size: int, advance: Callable[[int], None]
) -> Store:
    """A log of `size` events, but for those of the orders that are loaded."""
    scratch = opened.enter_context(scratch_database(database_url, store_partitions))
    store = opened.enter_context(Store.open(scratch, "eventlib bench"))
    fill(store.connection, MIX.histories(), size - LEAST, advance)
    advance(LEAST)
    return store


def _subjects(store: Store) -> list[list[UUID]]:
    """For each case that loads, the orders that it loads."""
    return [_orders(store, 50, 0), _orders(store, 50, 50), _orders(store, 1_000, 1_000)]


def _orders(store: Store, length: int, snapshot: int) -> list[UUID]:
    """Orders of some length, with a snapshot of a version unless that is 0."""
    histories = [long_history(length, seed=number) for number in range(SUBJECTS)]
    order_ids = write_histories(store.connection, histories)
    for order_id, history in zip(order_ids, histories):
        if snapshot:
            loaded = Loaded(ORDER.fold(event for event, _ in history[:snapshot]), snapshot)
            save_snapshot(store.connection, ORDER, order_id, loaded)
    return order_ids


def _measure(
    store: Store, subjects: Sequence[Sequence[UUID]], case: int, advance: Callable[[int], None]
) -> Callable[[], float]:
    if CASES[case] == APPEND:
        return functools.partial(_append, store, advance)
    return functools.partial(_load, store, subjects[case - 1], use_snapshots=case > 1, advance=advance)


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
