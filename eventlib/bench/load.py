"""`eventlib bench load`: the bulk load with all indexes, beside a bare COPY of the same rows, and what each index costs."""

from __future__ import annotations

import contextlib
import functools
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from eventlib.bench.filling import streams
from eventlib.bench.machine import server_facts
from eventlib.bench.measurement import Benchmark, Floor, Measurement, at_least, interleaved
from eventlib.bench.order_mix import OrderMix
from eventlib.bench.order_workload import History
from eventlib.orders import ORDER
from eventlib.store.bulk_load import bulk_load
from eventlib.store.connection import Connection, connect
from eventlib.store.encoded_events import encoded_events
from eventlib.store.queries import query
from eventlib.store.scratch_database import scratch_database

UNIT = "events/s"
LOAD_AIM = 60_000.0
QUIET, PUBLISHED = "bulk load, all indexes", "bulk load, all indexes, and outbox rows"
COPY = "COPY of ready-made rows"
ALL_INDEXES = "COPY with all indexes"
LOOPS_PER_ROUND = 3

MIX = OrderMix(orders=500)
_LINES_AT_ONCE = 500


def bench_load(
    database_url: str,
    store_partitions: int,
    *,
    events: int,
    rounds: int,
    indexes: bool = False,
    advance: Callable[[int], None] = lambda steps: None,
) -> Benchmark:
    """Load histories in bulk, without and with outbox rows; if asked, COPY with each index left out in turn as well.

    Args:
        database_url: for a role that may create databases; the events go to scratch databases on the same server.
        store_partitions: hash partitions of `event_store` there.
        events: in each load, all in one transaction.
        rounds: of which the medians are told.
        indexes: whether to find out what each index costs.
        advance: told how many events were loaded since the last call; in all there are `steps`.
    """
    histories = MIX.histories()
    with scratch_database(database_url, store_partitions) as scratch, connect(scratch, "eventlib bench") as connection:
        bench = _Bench(connection, histories, events, advance)
        quiet, published, copied = interleaved(
            rounds,
            functools.partial(bench.load, publish=False),
            functools.partial(bench.load, publish=True),
            bench.copy,
        )
        server, known = server_facts(connection), _indexes(connection)
        held = rounds * LOOPS_PER_ROUND * events
    results = [
        Measurement(QUIET, UNIT, quiet, [Floor(COPY, copied)], [at_least(LOAD_AIM)]),
        Measurement(PUBLISHED, UNIT, published, [Floor(COPY, copied)]),
    ]
    facts: dict[str, object] = {"events": events}
    if indexes:
        without = _without_each(database_url, store_partitions, known, histories, events, rounds, advance)
        results += without
        facts["indexes"] = [_cost(index, measured, held) for index, measured in zip(known, without)]
    return Benchmark(
        "load",
        f"Each loop loads {events:,} events of a mix of orders in one transaction, into a log that grows from loop to loop.",
        results,
        server,
        facts,
        notes=[
            f"'{COPY}' sends the same columns, encoded beforehand, to the same table with the same indexes: no event is "
            "checked or encoded, and nothing goes to the outbox.",
            f"'{ALL_INDEXES}' is that, too. Each index is left out in a scratch database of its own; what is then faster is "
            "what it costs. A constraint goes with its index.",
        ][: 2 if indexes else 1],
    )


def steps(events: int, rounds: int, indexes: int) -> int:
    """How many events all loops load; `indexes` are left out one by one."""
    return events * rounds * (LOOPS_PER_ROUND + (1 + indexes if indexes else 0))


INDEXES = 5
"""Of `event_store`, as the progress bar expects them."""


@dataclass(frozen=True)
class _Index:
    """An index of the log; `constraint` is empty if it serves none; `size` is in bytes, over all partitions."""

    name: str
    constraint: str | None
    size: int


@dataclass(frozen=True)
class _Bench:
    connection: Connection
    histories: Sequence[History]
    events: int
    advance: Callable[[int], None]

    def load(self, *, publish: bool) -> float:
        """Events a second through the bulk load."""
        coming = list(streams(self.histories, self.events))
        began = time.perf_counter()
        bulk_load(self.connection, ORDER, coming, publish=publish)
        return self._rate(began)

    def copy(self) -> float:
        """Events a second through COPY alone."""
        blocks = list(_blocks(self.histories, self.events))
        began = time.perf_counter()
        with self.connection.cursor().copy(query("bulk_load")) as copy:
            for block in blocks:
                copy.write(block)
        return self._rate(began)

    def _rate(self, began: float) -> float:
        elapsed = time.perf_counter() - began
        self.advance(self.events)
        return self.events / elapsed


def _blocks(histories: Sequence[History], events: int) -> Iterator[bytes]:
    """New orders in the text format of COPY, some hundred lines at a time."""
    lines = (
        "\t".join(
            (
                one.event_id,
                str(stream.aggregate_id),
                ORDER.name,
                one.event_type,
                bytes(one.event_data).decode().replace("\\", "\\\\"),
                bytes(one.metadata).decode().replace("\\", "\\\\"),
                str(one.version),
                str(one.schema_version),
            )
        )
        for stream in streams(histories, events)
        for one in encoded_events(ORDER, stream.aggregate_id, 0, stream.events, stream.metadata)
    )
    while some := list(itertools.islice(lines, _LINES_AT_ONCE)):
        yield ("\n".join(some) + "\n").encode()


def _indexes(connection: Connection) -> list[_Index]:
    return [_Index(*row) for row in connection.execute(query("bench_indexes"))]


def _without_each(
    database_url: str,
    store_partitions: int,
    indexes: Sequence[_Index],
    histories: Sequence[History],
    events: int,
    rounds: int,
    advance: Callable[[int], None],
) -> list[Measurement]:
    """COPY into logs that lack one index each, beside one that lacks none; all of them in each round."""
    with contextlib.ExitStack() as open_:
        benches = []
        for index in (None, *indexes):
            scratch = open_.enter_context(scratch_database(database_url, store_partitions))
            connection = open_.enter_context(connect(scratch, "eventlib bench"))
            if index is not None:
                _drop(connection, index)
            benches.append(_Bench(connection, histories, events, advance))
        whole, *without = interleaved(rounds, *(bench.copy for bench in benches))
    return [
        Measurement(f"COPY without {index.name}", UNIT, rates, [Floor(ALL_INDEXES, whole)])
        for index, rates in zip(indexes, without)
    ]


def _drop(connection: Connection, index: _Index) -> None:
    # Identifiers cannot be bound; these are quoted.
    if index.constraint:
        statement = sql.SQL(query("bench_drop_constraint")).format(constraint=sql.Identifier(index.constraint))
    else:
        statement = sql.SQL(query("bench_drop_index")).format(index=sql.Identifier(index.name))
    connection.execute(statement)


def _cost(index: _Index, without: Measurement, held: int) -> Mapping[str, object]:
    whole = without.floor(ALL_INDEXES).value
    assert whole is not None
    return {
        "name": index.name,
        "bytes_per_event": index.size / held,
        "us_per_event": 1e6 * (1 / whole - 1 / statistics.median(without.rounds)),
    }
