"""How a benchmark is told: a value beside a floor measured in the same run, and their ratio."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import psutil

from eventlib import __version__


@dataclass(frozen=True)
class Measurement:
    """One case of a benchmark.

    Attributes:
        case: what was measured.
        value: the median over the rounds.
        unit: of value and floor.
        floor: the median of the least that the same work can take, measured in the same run.
        floor_name: what the floor is.
        rounds: the value of each round, in order.
        floor_rounds: the floor of each round, in order.
    """

    case: str
    value: float
    unit: str
    floor: float
    floor_name: str
    rounds: Sequence[float]
    floor_rounds: Sequence[float]

    @property
    def ratio(self) -> float:
        """Value over floor: for a rate 1.0 is as fast as the floor, for a duration as short."""
        return self.value / self.floor


@dataclass(frozen=True)
class Benchmark:
    """All cases of one benchmark on one machine."""

    name: str
    results: Sequence[Measurement]

    def document(self) -> dict[str, Any]:
        """As one JSON object."""
        results = [{**asdict(result), "ratio": result.ratio} for result in self.results]
        return {"name": self.name, "machine": machine(), "results": results}


def interleaved(rounds: int, *measures: Callable[[], float]) -> list[list[float]]:
    """Measure several things in turn, round by round, so that a noisy moment does not hit one of them alone.

    Returns:
        For each measure its values, in the order of the rounds. The order within a round is reversed every other round,
        since who comes second in a round finds warmer caches.
    """
    values: list[list[float]] = [[] for _ in measures]
    for number in range(rounds):
        order = list(enumerate(measures))
        for index, measure in order if number % 2 == 0 else reversed(order):
            values[index].append(measure())
    return values


def median_measurement(
    case: str, unit: str, rounds: Sequence[float], floor_name: str, floor_rounds: Sequence[float]
) -> Measurement:
    """The medians of value and floor over the rounds."""
    return Measurement(
        case, statistics.median(rounds), unit, statistics.median(floor_rounds), floor_name, rounds, floor_rounds
    )


def machine() -> dict[str, Any]:
    """What the figures were measured on; no name or address of it."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        "eventlib": __version__,
    }
