"""What a snapshot interval costs, which one costs least, and how sure that is. Pure."""

from __future__ import annotations

import math
import random
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

MODEL = (
    "Cost of a command = mean load + snapshots taken per event × time to take one + KiB of snapshots kept per event × "
    "{price:g} ms. Loads are waited for and snapshots are taken in the background; a millisecond counts the same in both. "
    "A command stands for one event."
)

STORAGE_MS_PER_KIB = 0.01
"""What it is worth to keep one KiB less for each event, in milliseconds a command: a judgement, not a measurement."""

NEAR = 1.05
"""Costs up to that many times the least count as no worse: less than what another machine or day would change."""

RESAMPLES = 2_000

Interval = int | None
"""Events between two snapshots; None for no snapshots at all."""


@dataclass(frozen=True)
class SnapshotVolume:
    """What snapshots an interval makes of a mix of orders, counted from the orders themselves.

    Attributes:
        taken_per_event: snapshots for each event of the mix.
        mean_bytes: of a snapshot's state, as JSON; 0 when none is ever taken.
        written_bytes_per_event: of all snapshots that are ever taken.
        kept_bytes_per_event: of those that stay.
        event_bytes: mean of an event's data and metadata, as JSON.
    """

    taken_per_event: float
    mean_bytes: float
    written_bytes_per_event: float
    kept_bytes_per_event: float
    event_bytes: float

    @property
    def write_amplification(self) -> float:
        """Bytes written for each byte of an event: 1 without snapshots."""
        return 1 + self.written_bytes_per_event / self.event_bytes


@dataclass(frozen=True)
class Cost:
    """Of a command, in milliseconds."""

    load: float
    snapshots: float
    storage: float

    @property
    def total(self) -> float:
        return self.load + self.snapshots + self.storage


@dataclass(frozen=True)
class Candidate:
    """An interval and what was measured with it.

    Attributes:
        every: the interval.
        loads: for each round the duration of each load, in milliseconds.
        takes: for each round how long taking one snapshot took, in milliseconds; none without snapshots.
        volume: what it makes of the mix.
    """

    every: Interval
    loads: Sequence[Sequence[float]]
    takes: Sequence[float]
    volume: SnapshotVolume

    @cached_property
    def mean_loads(self) -> Sequence[float]:
        """The mean load of each round, in milliseconds."""
        return [statistics.fmean(durations) for durations in self.loads]

    def percentile(self, share: float) -> float:
        """The load that a share of all loads does not exceed: in each round by itself, and of these the median."""
        return statistics.median(nearest_rank(durations, share) for durations in self.loads)

    def cost(self, storage_ms_per_kib: float, rounds: Sequence[int] | None = None) -> Cost:
        """The cost over some of the rounds, by default over all: medians of what was measured in each."""
        chosen = range(len(self.loads)) if rounds is None else rounds
        take = statistics.median([self.takes[number] for number in chosen]) if self.takes else 0.0
        return Cost(
            load=statistics.median([self.mean_loads[number] for number in chosen]),
            snapshots=self.volume.taken_per_event * take,
            storage=self.volume.kept_bytes_per_event / 1024 * storage_ms_per_kib,
        )


@dataclass(frozen=True)
class Recommendation:
    """The interval that costs least, and how sure that is.

    Attributes:
        every: the interval.
        cost: of a command with it, in milliseconds.
        wins: the share of resamples in which each interval costs least; those that never do are left out.
        near: the other intervals that cost at most `NEAR` times as much.
        near_share: the share of resamples in which the recommended one costs at most `NEAR` times the least.
        if_storage_were: what would be recommended if keeping bytes cost nothing, and if it cost ten times as much.
    """

    every: Interval
    cost: float
    wins: dict[Interval, float]
    near: Sequence[Interval]
    near_share: float
    if_storage_were: tuple[Interval, Interval]


def recommend(
    candidates: Sequence[Candidate],
    storage_ms_per_kib: float = STORAGE_MS_PER_KIB,
    *,
    resamples: int = RESAMPLES,
    seed: int = 1,
) -> Recommendation:
    """The interval with the least cost; its certainty by resampling the rounds (a bootstrap).

    Args:
        candidates: all with the same number of rounds; of equal costs the first wins.
    """
    costs = {candidate.every: candidate.cost(storage_ms_per_kib).total for candidate in candidates}
    best = _cheapest(costs)
    rng = random.Random(f"resamples {seed}")
    rounds = range(len(candidates[0].loads))
    won: Counter[Interval] = Counter()
    near = 0
    for _ in range(resamples):
        drawn = rng.choices(rounds, k=len(rounds))
        resampled = {candidate.every: candidate.cost(storage_ms_per_kib, drawn).total for candidate in candidates}
        winner = _cheapest(resampled)
        won[winner] += 1
        near += resampled[best] <= NEAR * resampled[winner]

    def winner_at(price: float) -> Interval:
        return _cheapest({candidate.every: candidate.cost(price).total for candidate in candidates})

    return Recommendation(
        every=best,
        cost=costs[best],
        wins={every: number / resamples for every, number in won.most_common()},
        near=[every for every, cost in costs.items() if every != best and cost <= NEAR * costs[best]],
        near_share=near / resamples,
        if_storage_were=(winner_at(0.0), winner_at(10 * storage_ms_per_kib)),
    )


def nearest_rank(values: Sequence[float], share: float) -> float:
    """The smallest value that a share of all values does not exceed.

    >>> nearest_rank([5, 1, 3, 2, 4], 0.5), nearest_rank([5, 1, 3, 2, 4], 0.99)
    (3, 5)
    """
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def snapshot_volume(sizes: Sequence[Sequence[int]], events: int, event_bytes: float, keep: int) -> SnapshotVolume:
    """Count what an interval makes of a mix.

    Args:
        sizes: for each order of the mix, the bytes of every snapshot that is taken of it, in order.
        events: of all orders.
        event_bytes: mean of an event.
        keep: the snapshots of an order that stay.
    """
    taken = sum(map(len, sizes))
    written = sum(map(sum, sizes))
    kept = sum(sum(of_order[-keep:]) for of_order in sizes)
    return SnapshotVolume(
        taken_per_event=taken / events,
        mean_bytes=written / taken if taken else 0.0,
        written_bytes_per_event=written / events,
        kept_bytes_per_event=kept / events,
        event_bytes=event_bytes,
    )


def _cheapest(costs: dict[Interval, float]) -> Interval:
    price: Callable[[Interval], float] = costs.__getitem__
    return min(costs, key=price)
