"""Measurements made up for the tests, in the shape in which benchmarks tell them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eventlib.bench.interval import FLOOR, IntervalStudy, named
from eventlib.bench.interval_cost import STORAGE_MS_PER_KIB, Candidate, Interval, SnapshotVolume, recommend
from eventlib.bench.measurement import Benchmark, Floor, Measurement, at_most
from eventlib.bench.replay import (
    FLAT_AIM,
    FOLD_COLUMNS,
    LONG,
    REPLAY_AIM,
    SAME_STATEMENT,
    SHORT,
    SNAPSHOT_AIM_MS,
    WHOLE_ROWS,
    WORST_TAIL,
    from_snapshot,
    replayed,
)

SERVER = {"server_version": "18.0", "fsync": "on"}


def rounds(value: float) -> list[float]:
    """Three rounds with that median."""
    return [value * 1.1, value, value * 0.9]


def replay_benchmark(
    lengths: Sequence[int] = (50, 10_000),
    *,
    replay_ratio: float = 1.2,
    snapshot_ms: Mapping[int, float] | None = None,
    tailed_ms: float = 0.4,
) -> Benchmark:
    """As `bench_replay` gives it; libpq takes a hundredth of a millisecond an event."""
    fresh = snapshot_ms or dict.fromkeys(lengths, 0.2)
    replays = [
        Measurement(
            replayed(length),
            "ms",
            rounds(replay_ratio * length / 100),
            [Floor(WHOLE_ROWS, rounds(length / 100)), Floor(FOLD_COLUMNS, rounds(length / 250))],
            [at_most(REPLAY_AIM, WHOLE_ROWS)],
        )
        for length in lengths
    ]
    snapshots = []
    for tail, values in ((0, fresh), (WORST_TAIL, dict.fromkeys(lengths, tailed_ms))):
        for length in lengths:
            floors, aims = [Floor(SAME_STATEMENT, rounds(0.1))], [at_most(SNAPSHOT_AIM_MS)]
            if length == LONG and SHORT in lengths:
                floors.append(Floor(from_snapshot(SHORT, tail), rounds(values[SHORT])))
                aims.append(at_most(FLAT_AIM, from_snapshot(SHORT, tail)))
            snapshots.append(Measurement(from_snapshot(length, tail), "ms", rounds(values[length]), floors, aims))
    orders = [{"events": length, "state_bytes": 500, "lines": 3} for length in lengths]
    return Benchmark("replay", "Made up.", [*replays, *snapshots], SERVER, {"orders": orders})


def candidate(every: Interval, means: Sequence[float], take_ms: float = 1.0, taken_per_event: float = 0.0) -> Candidate:
    """An interval with a mean load for each round, in which one load in ten takes five times as long as the others."""
    loads = [[mean / 1.4] * 9 + [5 * mean / 1.4] for mean in means]
    kept = 600 * taken_per_event
    volume = SnapshotVolume(taken_per_event, 600.0 if taken_per_event else 0.0, kept, kept, 400.0)
    return Candidate(every, loads, [take_ms] * len(means) if every else [], volume)


def interval_study(candidates: Sequence[Candidate]) -> IntervalStudy:
    """As `bench_interval` gives it."""
    results = [
        Measurement(f"snapshots: {named(one.every)}", "ms", one.mean_loads, [Floor(FLOOR, rounds(0.1))])
        for one in candidates
    ]
    mix = {
        "orders": 100.0,
        "events": 1600.0,
        "median": 13.0,
        "p99": 22.0,
        "longest": 300.0,
        "share_of_commands_to_orders_of_50_events_and_more": 0.3,
    }
    return IntervalStudy(
        Benchmark("interval", "Made up.", results, SERVER),
        candidates,
        recommend(candidates, resamples=200),
        STORAGE_MS_PER_KIB,
        mix,
    )
