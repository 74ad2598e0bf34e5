"""`eventlib bench append`: what the store adds to the statement that it executes."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from eventlib.bench.machine import server_facts
from eventlib.bench.measurement import Aim, Benchmark, Floor, Measurement, at_least, interleaved
from eventlib.bench.order_workload import command_metadata, item_added
from eventlib.bench.pgbench import MISSING, find_pgbench, transactions_per_second
from eventlib.bench.workers import Prepare, Workers, workers
from eventlib.errors import EventlibError
from eventlib.orders import ORDER
from eventlib.store.connection import Connection, connect
from eventlib.store.encoded_events import EncodedEvent, append_parameters, encoded_events
from eventlib.store.event_store import Store
from eventlib.store.queries import query
from eventlib.store.scratch_database import scratch_database

UNIT = "events/s"
BATCH_SIZES = (1, 10)
WRITERS = 8

STATEMENT_LOOP = "psycopg loop, same statement"
INSERT_LOOP = "psycopg loop, an INSERT an event"
PGBENCH = "pgbench, same statement"
FLOORS = (STATEMENT_LOOP, INSERT_LOOP, PGBENCH)

LOOPS_PER_ROUND = len(BATCH_SIZES) * (1 + len(FLOORS))
"""For each number of writers."""


def bench_append(
    database_url: str,
    store_partitions: int,
    *,
    events: int,
    rounds: int,
    concurrent_writers: int = WRITERS,
    pgbench: Path | None = None,
    advance: Callable[[], None] = lambda: None,
) -> Benchmark:
    """Append single events and batches of ten, with their outbox rows, with one writer and with several.

    Args:
        database_url: for a role that may create databases; the events go to a scratch database on the same server.
        store_partitions: hash partitions of `event_store` there.
        events: appended by each writer in each loop.
        rounds: of which the medians are told.
        concurrent_writers: processes that append at once in the second half of the cases; with 1 there is no second half.
        pgbench: the program, by default where `find_pgbench` finds it.
        advance: called after each loop; there are `LOOPS_PER_ROUND` a round for each number of writers.
    """
    with scratch_database(database_url, store_partitions) as scratch, connect(scratch, "eventlib bench") as connection:
        bench = _Bench(scratch, connection, rounds, _usable(pgbench or find_pgbench(), scratch), advance)
        results = [bench.case(size, events // size) for size in BATCH_SIZES]
        if concurrent_writers > 1:
            with workers(scratch, concurrent_writers) as several:
                results += [bench.case(size, events // size, several) for size in BATCH_SIZES]
        return Benchmark(
            "append",
            f"Each loop appends {events} events to new orders, one append a transaction; the loops of a case take turns in "
            "each round.",
            results,
            server_facts(connection),
            notes=[
                f"'{STATEMENT_LOOP}' executes what the store executes, with parameters made beforehand. '{INSERT_LOOP}' "
                "sends one plain INSERT for each event and its outbox row, without any check, one transaction an append.",
                "Single events are to reach 0.9 of the former. Batches of ten are to reach the latter, which is what a "
                "writer without one JSON document for all events would do; the former is told beside it.",
                f"'{PGBENCH}' writes the same data and metadata in every append and makes only the order's id. No aim is "
                "set against it.",
                "An append waits until its commit is on the disk, so that the disk decides much of every figure here.",
            ],
        )


@dataclass(frozen=True)
class _Pgbench:
    """The program, or why it cannot be used."""

    program: Path | None
    missing: str = ""


@dataclass(frozen=True)
class _Bench:
    scratch: str
    connection: Connection
    rounds: int
    pgbench: _Pgbench
    advance: Callable[[], None]

    def case(self, size: int, appends: int, several: Workers | None = None) -> Measurement:
        number = several.number if several else 1
        works = (_through_store, _same_statement, _plain_inserts)
        loops = [self._loop(functools.partial(work, size, appends), several) for work in works]
        if self.pgbench.program:
            loops.append(functools.partial(self._pgbench_loop, self.pgbench.program, size, appends, number))
        events = number * appends * size
        value, *floors = interleaved(self.rounds, *(functools.partial(self._rate, events, loop) for loop in loops))
        measured = [Floor(name, rounds) for name, rounds in zip(FLOORS, floors)]
        if not self.pgbench.program:
            measured.append(Floor(PGBENCH, missing=self.pgbench.missing))
        case = f"{number} writer{'s' if number > 1 else ''}, {f'batches of {size}' if size > 1 else 'single events'}"
        return Measurement(case, UNIT, value, measured, [_aim(size)])

    def _loop(self, prepare: Prepare, several: Workers | None) -> Callable[[], float]:
        """Seconds that the work of all writers takes, on a connection that has planned its statements."""
        if several:
            return lambda: several.run([prepare] * several.number).seconds

        def alone() -> float:
            work = prepare(self.connection)
            began = time.perf_counter()
            work()
            return time.perf_counter() - began

        return alone

    def _pgbench_loop(self, program: Path, size: int, appends: int, clients: int) -> float:
        rate = transactions_per_second(
            program, self.scratch, pgbench_script(), _pgbench_variables(size), clients=clients, transactions=appends
        )
        return clients * appends / rate

    def _rate(self, events: int, loop: Callable[[], float]) -> float:
        seconds = loop()
        self.advance()
        return events / seconds


def _aim(size: int) -> Aim:
    return at_least(0.9, STATEMENT_LOOP) if size == 1 else at_least(1.0, INSERT_LOOP)


def _through_store(size: int, appends: int, connection: Connection) -> Callable[[], None]:
    store, batch = Store(connection), [item_added() for _ in range(size)]
    jobs = [(uuid4(), command_metadata()) for _ in range(appends)]

    def work() -> None:
        for order_id, metadata in jobs:
            store.append(ORDER, order_id, 0, batch, metadata)

    return work


def _same_statement(size: int, appends: int, connection: Connection) -> Callable[[], None]:
    statement, batch = query("append"), [item_added() for _ in range(size)]
    jobs = [append_parameters(ORDER, uuid4(), 0, batch, command_metadata()) for _ in range(appends)]

    def work() -> None:
        for parameters in jobs:
            connection.execute(statement, parameters).fetchall()

    return work


def _plain_inserts(size: int, appends: int, connection: Connection) -> Callable[[], None]:
    statement, batch = query("bench_insert_event"), [item_added() for _ in range(size)]
    jobs = []
    for _ in range(appends):
        order_id = uuid4()
        encoded = encoded_events(ORDER, order_id, 0, batch, command_metadata())
        jobs.append([_insert_parameters(order_id, event) for event in encoded])

    def work() -> None:
        if size == 1:
            for (parameters,) in jobs:
                connection.execute(statement, parameters)
            return
        for job in jobs:
            with connection.transaction():
                for parameters in job:
                    connection.execute(statement, parameters)

    return work


def _insert_parameters(order_id: object, event: EncodedEvent) -> dict[str, object]:
    return {
        "aggregate_id": order_id,
        "aggregate_type": ORDER.name,
        "event_id": event.event_id,
        "event_type": event.event_type,
        "event_data": bytes(event.event_data).decode(),
        "metadata": bytes(event.metadata).decode(),
        "version": event.version,
        "schema_version": event.schema_version,
    }


def pgbench_script() -> str:
    """`sql/queries/append.sql` for pgbench: the order's id is made of a random number, all else are variables.

    pgbench knows no other way to make a value that differs from execution to execution.
    """
    order_id = "lpad(to_hex(:number::bigint), 32, '0')::uuid"
    statement = query("append").replace("%(aggregate_id)s", order_id)
    for name in ("aggregate_type", "expected_version", "events"):
        statement = statement.replace(f"%({name})s", f":{name}")
    return f"\\set number random(1, {2**62})\n{statement};\n"


def _pgbench_variables(size: int) -> dict[str, str]:
    parameters = append_parameters(ORDER, uuid4(), 0, [item_added() for _ in range(size)], command_metadata())
    return {name: str(parameters[name]) for name in ("aggregate_type", "expected_version", "events")}


def _usable(program: Path | None, scratch: str) -> _Pgbench:
    """The program, if it gets through one transaction on this server."""
    if program is None:
        return _Pgbench(None, MISSING)
    try:
        transactions_per_second(program, scratch, pgbench_script(), _pgbench_variables(1), clients=1, transactions=1)
    except (EventlibError, OSError) as error:
        return _Pgbench(None, str(error))
    return _Pgbench(program)
