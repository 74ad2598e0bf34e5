"""`eventlib bench append`: what the store adds to the statement that it executes."""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import uuid4

from eventlib.bench.measurement import Benchmark, Measurement, interleaved, median_measurement
from eventlib.events import Event, Metadata
from eventlib.orders import ORDER
from eventlib.orders.events import OrderItemAdded
from eventlib.store.connection import connect
from eventlib.store.encoded_events import append_parameters
from eventlib.store.event_store import Store
from eventlib.store.queries import query
from eventlib.store.scratch_database import scratch_database

UNIT = "events/s"
FLOOR = "bare psycopg loop with the very same statement and ready-made parameters"
BATCH_SIZES = (1, 10)
LOOPS_PER_ROUND = 2 * len(BATCH_SIZES)


def bench_append(
    database_url: str, store_partitions: int, events: int, rounds: int, advance: Callable[[], None] = lambda: None
) -> Benchmark:
    """Append single events and batches of ten, with their outbox rows, against a bare loop of the same statement.

    Args:
        database_url: of any database on the server; the events go to a scratch database beside it.
        store_partitions: hash partitions of `event_store` there.
        events: appended by each loop, `LOOPS_PER_ROUND` loops a round.
        rounds: of which the medians are told.
        advance: called after each loop.
    """
    with scratch_database(database_url, store_partitions) as scratch, connect(scratch, "eventlib bench") as connection:
        store = Store(connection)
        return Benchmark("append", [_case(store, size, events // size, rounds, advance) for size in BATCH_SIZES])


def _case(store: Store, size: int, appends: int, rounds: int, advance: Callable[[], None]) -> Measurement:
    batch: list[Event] = [OrderItemAdded("WIDGET-42", 2, 1499, "customer 7f3c") for _ in range(size)]

    def through_store() -> float:
        jobs = [(uuid4(), _metadata()) for _ in range(appends)]
        began = time.perf_counter()
        for aggregate_id, metadata in jobs:
            store.append(ORDER, aggregate_id, 0, batch, metadata)
        return _rate(appends * size, began, advance)

    def bare() -> float:
        jobs = [append_parameters(ORDER, uuid4(), 0, batch, _metadata()) for _ in range(appends)]
        statement, connection = query("append"), store.connection
        began = time.perf_counter()
        for parameters in jobs:
            connection.execute(statement, parameters).fetchall()
        return _rate(appends * size, began, advance)

    values, floors = interleaved(rounds, through_store, bare)
    return median_measurement(f"1 writer, {size} a batch", UNIT, values, FLOOR, floors)


def _rate(events: int, began: float, advance: Callable[[], None]) -> float:
    elapsed = time.perf_counter() - began
    advance()
    return events / elapsed


def _metadata() -> Metadata:
    command_id = uuid4()
    return Metadata(command_id=command_id, correlation_id=command_id, actor="customer 7f3c", device="iOS 17.4")
