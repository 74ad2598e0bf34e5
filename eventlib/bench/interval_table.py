"""A study of snapshot intervals as the lines of a table, the same on a terminal and on a page."""

from __future__ import annotations

import statistics

from eventlib.bench.figures import number, share, size
from eventlib.bench.interval import IntervalStudy, named
from eventlib.bench.interval_cost import Candidate

HEADINGS = (
    "snapshots",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "mean ms",
    "÷ libpq",
    "snapshot",
    "taking one, ms",
    "write amplification",
    "cost of a command, ms",
    "least in resamples",
)


def interval_lines(study: IntervalStudy) -> list[tuple[str, ...]]:
    """One line for each interval, with the texts under `HEADINGS`."""
    return [_line(study, candidate) for candidate in study.candidates]


def certainty(study: IntervalStudy) -> list[str]:
    """What is recommended and how sure it is, as sentences."""
    best = study.recommendation
    near = ", ".join(named(every) for every in best.near)
    free, dear = best.if_storage_were
    return [
        f"Recommended: {named(best.every)}. It costs least in {share(best.wins.get(best.every, 0.0))} of the resamples, and "
        f"is within 5 % of the least in {share(best.near_share)}.",
        f"Within 5 % of its cost: {near or 'no other'}.",
        f"If keeping snapshots cost nothing: {named(free)}; if it cost ten times as much: {named(dear)}.",
    ]


def _line(study: IntervalStudy, candidate: Candidate) -> tuple[str, ...]:
    (floor,) = study.benchmark.results[study.candidates.index(candidate)].floors
    mean = statistics.median(candidate.mean_loads)
    volume = candidate.volume
    won = study.recommendation.wins.get(candidate.every, 0.0)
    return (
        named(candidate.every),
        *(number(candidate.percentile(percentile)) for percentile in (0.5, 0.95, 0.99)),
        number(mean),
        f"{mean / floor.value:.2f}" if floor.value else "",
        size(volume.mean_bytes) if volume.mean_bytes else "–",
        number(statistics.median(candidate.takes)) if candidate.takes else "–",
        f"{volume.write_amplification:.3f}",
        number(candidate.cost(study.storage_ms_per_kib).total),
        share(won) + (", recommended" if candidate.every == study.recommendation.every else ""),
    )
