"""`eventlib bench replay`: what an order's load takes, from the first event or from a snapshot, beside libpq alone."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from eventlib.bench.libpq import Prepared
from eventlib.bench.machine import server_facts
from eventlib.bench.measurement import Benchmark, Floor, Measurement, at_most, interleaved
from eventlib.bench.order_workload import History, long_history, settle, write_histories
from eventlib.errors import EventlibError
from eventlib.orders import ORDER
from eventlib.orders.order import Order
from eventlib.store.encoded_events import MAX_VERSION
from eventlib.store.event_store import Store
from eventlib.store.queries import query
from eventlib.store.scratch_database import scratch_database
from eventlib.store.snapshots import Loaded, save_snapshot

UNIT = "ms"
LENGTHS = (50, 200, 1_000, 10_000)
EVERY = 50
WORST_TAIL = EVERY - 1
"""Events after the newest snapshot, at most, when one is taken every `EVERY` events."""

WHOLE_ROWS = "libpq, all columns"
FOLD_COLUMNS = "libpq, fold columns"
SAME_STATEMENT = "libpq, same statement"

REPLAY_AIM, SNAPSHOT_AIM_MS, FLAT_AIM = 1.6, 0.45, 1.2
SHORT, LONG = 50, 10_000
"""Between these two lengths a load with a snapshot should be flat."""

ROUND_S = 0.02
"""How long the loads of one case go on in each round; their median is the round's value."""

MOST_LOADS = 40
"""In one round."""

_LOADS = 7
"""Of each length: what `_Subject.loads` gives."""


def replayed(length: int) -> str:
    """The name of the case without snapshots."""
    return f"{length:,} events, replayed"


def from_snapshot(length: int, tail: int) -> str:
    """The name of the case with a snapshot and `tail` events after it."""
    return f"{length:,} events, snapshot" + (f" + {tail} events" if tail else "")


def lengths_of(benchmark: Benchmark) -> list[int]:
    """The lengths that a benchmark of this kind has measured, in ascending order."""
    return [order["events"] for order in benchmark.facts["orders"]]


def measures(lengths: Sequence[int]) -> int:
    """How many cases and floors a round has."""
    return _LOADS * len(set(lengths))


def bench_replay(
    database_url: str,
    store_partitions: int,
    *,
    rounds: int,
    lengths: Sequence[int] = LENGTHS,
    advance: Callable[[], None] = lambda: None,
) -> Benchmark:
    """Load orders of several lengths without and with snapshots.

    Args:
        database_url: for a role that may create databases; the orders go to a scratch database on the same server.
        store_partitions: hash partitions of `event_store` there.
        rounds: of which the medians are told.
        lengths: of the orders, in events.
        advance: called after each measurement; there are `measures(lengths)` a round.

    Raises:
        EventlibError: a load with a snapshot differs from one without, so that its duration would mean nothing.
    """
    with scratch_database(database_url, store_partitions) as scratch, Store.open(scratch, "eventlib bench") as store:
        subjects = [_subject(store, length) for length in sorted(set(lengths))]
        settle(store.connection)
        floors = {name: Prepared(store.connection, query(name)) for name in ("read_stream", "tail", "load")}
        loads = [load for subject in subjects for load in subject.loads(store, floors)]
        values = interleaved(rounds, *(functools.partial(_round, load, advance) for load in loads))
        of_subject = [values[first : first + _LOADS] for first in range(0, len(values), _LOADS)]
        return Benchmark(
            "replay",
            f"Each load folds one order to its state. In each round every case is loaded for {ROUND_S * 1000:.0f} ms, at "
            f"least once and at most {MOST_LOADS} times, and the median of these loads is the round's value.",
            _results(subjects, of_subject),
            server_facts(store.connection),
            facts={
                "orders": [
                    {"events": subject.length, "state_bytes": subject.state_bytes, "lines": subject.lines}
                    for subject in subjects
                ]
            },
            notes=[
                f"'{WHOLE_ROWS}' and '{FOLD_COLUMNS}' fetch the same events and decode none. The former brings whole "
                "rows, as who reads the stream gets them, and the aim is set against it. The latter leaves out ids, times "
                "and metadata, as a replay does; it has no aim, and what a replay takes beyond it is decoding and folding.",
                f"Snapshots are {WORST_TAIL} events old at most when one is taken every {EVERY} events: both ends are told, "
                "right after a snapshot and right before the next.",
                "The orders are companies' shared carts as 'eventlib simulate' makes them: thousands of changes, few lines "
                "at a time. A snapshot of a larger state takes longer.",
                "Everything is in the server's memory. What was not read for long comes from the disk first.",
            ],
        )


@dataclass(frozen=True)
class _Subject:
    """One length: an order of it, replayed and with a snapshot of its last event, and one with events after a snapshot."""

    length: int
    order_id: UUID
    tailed_id: UUID
    state_bytes: int
    lines: int

    def loads(self, store: Store, floors: Mapping[str, Prepared]) -> list[Callable[[], object]]:
        """The cases and their floors, as `_results` takes them."""
        stream = {
            "aggregate_id": self.order_id,
            "aggregate_type": ORDER.name,
            "after": 0,
            "until": MAX_VERSION,
            "event_types": None,
            "recorded_from": None,
            "recorded_before": None,
            "upcast_types": ORDER.upcast_types,
            "limit": self.length,
        }
        load = {**stream, "state_schema": ORDER.state_schema, "before": MAX_VERSION}
        return [
            functools.partial(store.load, ORDER, self.order_id, use_snapshots=False),
            floors["read_stream"].fetch(stream),
            floors["tail"].fetch(stream),
            functools.partial(store.load, ORDER, self.order_id),
            floors["load"].fetch(load),
            functools.partial(store.load, ORDER, self.tailed_id),
            floors["load"].fetch({**load, "aggregate_id": self.tailed_id}),
        ]


def _subject(store: Store, length: int) -> _Subject:
    history = long_history(length + WORST_TAIL)
    order_id, tailed_id = write_histories(store.connection, [history[:length], history])
    state = _snapshot(store, order_id, history[:length])
    _snapshot(store, tailed_id, history[:length])
    for written in (order_id, tailed_id):
        if store.load(ORDER, written) != store.load(ORDER, written, use_snapshots=False):
            raise EventlibError(f"order {written} with a snapshot differs from the same order without: report this")
    (sizes,) = store.connection.execute(query("bench_snapshot_bytes"), {"aggregate_id": order_id}).fetchall()
    return _Subject(length, order_id, tailed_id, sizes[0], len(state.lines))


def _snapshot(store: Store, order_id: UUID, history: History) -> Order:
    """Keep a snapshot as of the end of a history, which may be followed by more."""
    loaded = Loaded(ORDER.fold(event for event, _ in history), len(history))
    save_snapshot(store.connection, ORDER, order_id, loaded)
    return loaded.state


def _round(load: Callable[[], object], advance: Callable[[], None]) -> float:
    """Milliseconds that one load takes."""
    durations: list[float] = []
    while not durations or (sum(durations) < ROUND_S and len(durations) < MOST_LOADS):
        began = time.perf_counter()
        load()
        durations.append(time.perf_counter() - began)
    advance()
    return 1000 * statistics.median(durations)


def _results(subjects: Sequence[_Subject], values: Sequence[Sequence[Sequence[float]]]) -> list[Measurement]:
    replays, snapshots, tails = [], [], []
    for subject, (replay, whole, columns, fresh, fresh_floor, tailed, tailed_floor) in zip(subjects, values):
        floors = [Floor(WHOLE_ROWS, whole), Floor(FOLD_COLUMNS, columns)]
        case = replayed(subject.length)
        replays.append(Measurement(case, UNIT, replay, floors, [at_most(REPLAY_AIM, WHOLE_ROWS)]))
        snapshots.append((subject.length, 0, fresh, fresh_floor))
        tails.append((subject.length, WORST_TAIL, tailed, tailed_floor))
    return replays + _with_snapshots(snapshots) + _with_snapshots(tails)


def _with_snapshots(cases: Sequence[tuple[int, int, Sequence[float], Sequence[float]]]) -> list[Measurement]:
    measured = []
    short = next((rounds for length, _, rounds, _ in cases if length == SHORT), None)
    for length, tail, rounds, floor in cases:
        floors, aims = [Floor(SAME_STATEMENT, floor)], [at_most(SNAPSHOT_AIM_MS)]
        if length == LONG and short is not None:
            floors.append(Floor(from_snapshot(SHORT, tail), short))
            aims.append(at_most(FLAT_AIM, from_snapshot(SHORT, tail)))
        measured.append(Measurement(from_snapshot(length, tail), UNIT, rounds, floors, aims))
    return measured
