"""`eventlib bench interval`: every how many events a snapshot is worth taking, over a mix of orders as shops have them."""

from __future__ import annotations

import functools
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from eventlib.bench.figures import share
from eventlib.bench.interval_cost import (
    MODEL,
    NEAR,
    STORAGE_MS_PER_KIB,
    Candidate,
    Interval,
    Recommendation,
    SnapshotVolume,
    recommend,
    snapshot_volume,
)
from eventlib.bench.libpq import Prepared
from eventlib.bench.machine import server_facts
from eventlib.bench.measurement import Benchmark, Floor, Measurement, interleaved
from eventlib.bench.order_mix import OrderMix, described, sampled_moments
from eventlib.bench.order_workload import SHORTEST, History, long_history, settle, write_histories
from eventlib.codec import encode_event, encode_metadata
from eventlib.orders import ORDER
from eventlib.store.encoded_events import MAX_VERSION
from eventlib.store.event_store import Store
from eventlib.store.queries import query
from eventlib.store.scratch_database import scratch_database
from eventlib.store.snapshots import KEEP, Loaded, save_snapshot
from eventlib.store.snapshotter import take_snapshots

INTERVALS: tuple[Interval, ...] = (10, 25, 50, 100, 250, 1_000, None)
FLOOR = "libpq, same statements"
TAKEN_AT_ONCE = 5
"""Orders of which snapshots are taken in each round, for each interval."""

_encode_state = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class IntervalStudy:
    """The whole study.

    Attributes:
        benchmark: one case for each interval: the mean load beside its floor.
        candidates: the same, load by load, with what snapshots cost.
        recommendation: the interval that costs least.
        storage_ms_per_kib: the price of keeping bytes in it.
        mix: the distribution of lengths, in figures.
    """

    benchmark: Benchmark
    candidates: Sequence[Candidate]
    recommendation: Recommendation
    storage_ms_per_kib: float
    mix: dict[str, float]

    @property
    def cost_model(self) -> str:
        """The cost model in words."""
        return MODEL.format(price=self.storage_ms_per_kib)

    def document(self) -> dict[str, Any]:
        """As one JSON object."""
        best = self.recommendation
        return {
            **self.benchmark.document(),
            "intervals": [self._interval(candidate) for candidate in self.candidates],
            "recommendation": {
                "every": best.every,
                "cost_ms": best.cost,
                "wins": [{"every": every, "share": share} for every, share in best.wins.items()],
                "within_5_percent": list(best.near),
                "share_within_5_percent_of_least": best.near_share,
                "if_storage_cost_nothing": best.if_storage_were[0],
                "if_storage_cost_ten_times": best.if_storage_were[1],
            },
        }

    def _interval(self, candidate: Candidate) -> dict[str, Any]:
        cost, volume = candidate.cost(self.storage_ms_per_kib), candidate.volume
        return {
            "every": candidate.every,
            "p50_ms": candidate.percentile(0.5),
            "p95_ms": candidate.percentile(0.95),
            "p99_ms": candidate.percentile(0.99),
            "take_ms": statistics.median(candidate.takes) if candidate.takes else None,
            "snapshot_bytes": volume.mean_bytes,
            "snapshots_per_event": volume.taken_per_event,
            "kept_bytes_per_event": volume.kept_bytes_per_event,
            "write_amplification": volume.write_amplification,
            "cost_ms": {"load": cost.load, "snapshots": cost.snapshots, "storage": cost.storage, "total": cost.total},
        }


def named(every: Interval) -> str:
    """An interval in words.

    >>> named(1000), named(None)
    ('every 1,000', 'none')
    """
    return "none" if every is None else f"every {every:,}"


def steps(rounds: int, intervals: int) -> int:
    """How often `advance` is called."""
    return (1 + 3 * rounds) * intervals


def bench_interval(
    database_url: str,
    store_partitions: int,
    *,
    rounds: int,
    moments: int,
    mix: OrderMix,
    intervals: Sequence[Interval] = INTERVALS,
    storage_ms_per_kib: float = STORAGE_MS_PER_KIB,
    advance: Callable[[], None] = lambda: None,
) -> IntervalStudy:
    """Load orders at the versions that commands meet them at, with snapshots every so many events.

    Args:
        database_url: for a role that may create databases; the orders go to a scratch database on the same server.
        store_partitions: hash partitions of `event_store` there.
        rounds: of which the medians are told.
        moments: sampled from the mix; each is an order cut at the version that a command meets.
        mix: the orders.
        intervals: to be compared, each once.
        storage_ms_per_kib: what it is worth to keep one KiB less for each event, in milliseconds a command.
        advance: called after each step; there are `steps(rounds, len(intervals))`.
    """
    histories = mix.histories()
    lengths = [len(history) for history in histories]
    met = [histories[order][:version] for order, version in sampled_moments(lengths, moments, mix.seed)]
    volumes = _volumes(histories, intervals)
    with scratch_database(database_url, store_partitions) as scratch, Store.open(scratch, "eventlib bench") as store:
        subjects = []
        for every in intervals:
            subjects.append(_subject(store, met, every))
            advance()
        settle(store.connection)
        floor = Prepared(store.connection, query("load")), Prepared(store.connection, query("tail"))
        measures = [
            measure for subject in subjects for measure in (subject.load, subject.take, _fetch_all(subject, floor))
        ]
        values = interleaved(rounds, *(functools.partial(_then, measure, advance) for measure in measures))
        server = server_facts(store.connection)
    candidates, results = [], []
    for subject, (_, takes, fetches) in zip(subjects, _triples(values)):
        every = subject.every
        candidates.append(Candidate(every, subject.durations, takes if every else (), volumes[every]))
        means = [statistics.fmean(durations) for durations in subject.durations]
        results.append(Measurement(f"snapshots: {named(every)}", "ms", means, [Floor(FLOOR, fetches)]))
    distribution = described(lengths)
    benchmark = Benchmark(
        "interval",
        f"{moments} moments are sampled from the mix; each is an order at the version that a command meets it at, with its "
        "newest snapshot where the interval puts it. In each round every moment is loaded once for each interval, and "
        "snapshots are taken of orders that are due.",
        results,
        server,
        facts={"mix": distribution, "mix_model": mix.model, "cost_model": MODEL.format(price=storage_ms_per_kib)},
        notes=[
            "How sure the recommendation is comes from resampling the rounds: it covers the noise of this machine, not "
            "another mix of orders. The share and the length of hot orders are parameters, and decide more than all else.",
            f"Costs within {share(NEAR - 1)} of each other are told as equal.",
            "Without snapshots the load does not look for one.",
            "Bytes are those of the JSON documents, without row headers, indexes and the write-ahead log.",
        ],
    )
    return IntervalStudy(
        benchmark, candidates, recommend(candidates, storage_ms_per_kib), storage_ms_per_kib, distribution
    )


@dataclass
class _Subject:
    """One interval: the orders at their moments, and orders of which a snapshot is due."""

    store: Store
    every: Interval
    order_ids: Sequence[UUID]
    due_ids: Sequence[UUID]
    durations: list[list[float]]

    def load(self) -> float:
        """Milliseconds of all loads together."""
        use_snapshots, load = self.every is not None, self.store.load
        durations = []
        for order_id in self.order_ids:
            began = time.perf_counter()
            load(ORDER, order_id, use_snapshots=use_snapshots)
            durations.append(1000 * (time.perf_counter() - began))
        self.durations.append(durations)
        return sum(durations)

    def take(self) -> float:
        """Milliseconds for taking one snapshot; afterwards the same orders are due again."""
        if self.every is None:
            return 0.0
        began = time.perf_counter()
        taken = take_snapshots(self.store, ORDER, self.due_ids, self.every)
        elapsed = time.perf_counter() - began
        assert taken == len(self.due_ids)
        self.store.connection.execute(
            query("bench_snapshots_forget"), {"aggregate_ids": list(self.due_ids), "above": self.every}
        )
        return 1000 * elapsed / taken


def _subject(store: Store, met: Sequence[History], every: Interval) -> _Subject:
    """Write the orders and put their newest snapshots where the interval puts them."""
    due = [] if every is None else [_due_history(every)] * TAKEN_AT_ONCE
    with store.connection.transaction():
        order_ids, due_ids = (write_histories(store.connection, histories) for histories in (met, due))
        if every is not None:
            for order_id, history in zip(order_ids, met):
                _snapshot(store, order_id, history, len(history) // every * every)
            for order_id, history in zip(due_ids, due):
                _snapshot(store, order_id, history, every)
    return _Subject(store, every, order_ids, due_ids, [])


def _due_history(every: int) -> History:
    """An order with a snapshot after `every` events, and as many events since."""
    return long_history(max(2 * every, SHORTEST))[: 2 * every]


def _snapshot(store: Store, order_id: UUID, history: History, version: int) -> None:
    if version:
        state = ORDER.fold(event for event, _ in itertools.islice(history, version))
        save_snapshot(store.connection, ORDER, order_id, Loaded(state, version))


def _fetch_all(subject: _Subject, floor: tuple[Prepared, Prepared]) -> Callable[[], float]:
    """Milliseconds that libpq alone takes for a load of the same orders, on average."""
    load, tail = floor
    statement = tail if subject.every is None else load
    fetches = [
        statement.fetch(
            {
                "aggregate_id": order_id,
                "aggregate_type": ORDER.name,
                "upcast_types": ORDER.upcast_types,
                "state_schema": ORDER.state_schema,
                "before": MAX_VERSION,
                "after": 0,
                "limit": MAX_VERSION,
            }
        )
        for order_id in subject.order_ids
    ]

    def fetch_all() -> float:
        began = time.perf_counter()
        for fetch in fetches:
            fetch()
        return 1000 * (time.perf_counter() - began) / len(fetches)

    return fetch_all


def _then(measure: Callable[[], float], advance: Callable[[], None]) -> float:
    value = measure()
    advance()
    return value


def _triples(values: Sequence[list[float]]) -> Iterator[Sequence[list[float]]]:
    return (values[first : first + 3] for first in range(0, len(values), 3))


def _volumes(histories: Sequence[History], intervals: Sequence[Interval]) -> dict[Interval, SnapshotVolume]:
    """Fold every order once, and note the size of each snapshot that any interval would take."""
    sizes: dict[Interval, list[list[int]]] = {every: [] for every in intervals}
    events = event_bytes = 0
    for history in histories:
        for of_orders in sizes.values():
            of_orders.append([])
        state = ORDER.initial()
        for version, (event, metadata) in enumerate(history, start=1):
            state = ORDER.evolve(state, event)
            event_bytes += len(encode_event(event)) + len(encode_metadata(metadata))
            due = [every for every in intervals if every is not None and version % every == 0]
            size = len(_encode_state(state)) if due else 0
            for every in due:
                sizes[every][-1].append(size)
        events += len(history)
    return {every: snapshot_volume(sizes[every], events, event_bytes / events, KEEP) for every in intervals}
