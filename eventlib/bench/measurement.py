"""How a benchmark is told: a value beside floors measured in the same run, their ratios, and what was aimed at."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eventlib.audit.verdict import Outcome
from eventlib.bench.machine import machine


@dataclass(frozen=True)
class Floor:
    """What a case is compared with, measured in the same run: the least that the same work can take, or another case.

    Attributes:
        name: what it is, in words.
        rounds: its value in each round, in order; none when it was not measured.
        missing: why it was not measured.
    """

    name: str
    rounds: Sequence[float] = ()
    missing: str = ""

    def __post_init__(self) -> None:
        if bool(self.rounds) == bool(self.missing):
            raise ValueError(f"floor {self.name!r} is either measured, or there is a reason why it is not")

    @property
    def value(self) -> float | None:
        """The median over the rounds; None when it was not measured."""
        return statistics.median(self.rounds) if self.rounds else None


@dataclass(frozen=True)
class Aim:
    """What a case should come to.

    Attributes:
        limit: of the ratio to a floor, or of the value itself.
        at_least: whether the limit is a lower one; else it is an upper one.
        floor: the name of the floor; None for the value itself, in the unit of the case.
    """

    limit: float
    at_least: bool
    floor: str | None = None

    def outcome(self, actual: float | None) -> Outcome:
        """VERIFIED if reached, FAILED if not, NOT_COVERED if there is nothing to compare."""
        if actual is None:
            return Outcome.NOT_COVERED
        reached = actual >= self.limit if self.at_least else actual <= self.limit
        return Outcome.VERIFIED if reached else Outcome.FAILED


@dataclass(frozen=True)
class Measurement:
    """One case of a benchmark.

    Attributes:
        case: what was measured.
        unit: of its values and of its floors'.
        rounds: the value of each round, in order.
        floors: what it is compared with.
        aims: what it should come to.
    """

    case: str
    unit: str
    rounds: Sequence[float]
    floors: Sequence[Floor] = ()
    aims: Sequence[Aim] = ()

    def __post_init__(self) -> None:
        known = {floor.name for floor in self.floors}
        for aim in self.aims:
            if aim.floor is not None and aim.floor not in known:
                raise ValueError(f"case {self.case!r} has an aim for {aim.floor!r}, and no such floor")

    @property
    def value(self) -> float:
        """The median over the rounds."""
        return statistics.median(self.rounds)

    def floor(self, name: str) -> Floor:
        """The floor of that name."""
        return next(floor for floor in self.floors if floor.name == name)

    def ratio(self, floor: Floor) -> float | None:
        """Median over median: for a rate 1.0 is as fast as the floor, for a duration as short. None if there is none."""
        return self.value / floor.value if floor.value else None

    def actual(self, aim: Aim) -> float | None:
        """What is held against the limit of an aim; None when it was not measured."""
        return self.value if aim.floor is None else self.ratio(self.floor(aim.floor))

    def outcome(self, aim: Aim) -> Outcome:
        """Whether an aim was reached."""
        return aim.outcome(self.actual(aim))

    def document(self) -> dict[str, Any]:
        """As one JSON object."""
        return {
            "case": self.case,
            "unit": self.unit,
            "value": self.value,
            "quartiles": quartiles(self.rounds),
            "rounds": list(self.rounds),
            "floors": [self._floor_document(floor) for floor in self.floors],
            "aims": [
                {
                    "floor": aim.floor,
                    "limit": aim.limit,
                    "at_least": aim.at_least,
                    "actual": self.actual(aim),
                    "outcome": self.outcome(aim),
                }
                for aim in self.aims
            ],
        }

    def _floor_document(self, floor: Floor) -> dict[str, Any]:
        if not floor.rounds:
            return {"name": floor.name, "value": None, "ratio": None, "missing": floor.missing}
        return {
            "name": floor.name,
            "value": floor.value,
            "quartiles": quartiles(floor.rounds),
            "ratio": self.ratio(floor),
            "rounds": list(floor.rounds),
        }


@dataclass(frozen=True)
class Benchmark:
    """All cases of one benchmark on one machine.

    Attributes:
        name: such as `append`.
        method: one sentence: what each case does, and what a round is.
        results: the cases, in the order to show them.
        server: what was measured on, as `server_facts` gives it.
        facts: further figures that are no cases, by name.
        notes: what a reader has to know so as not to read more into the figures than they hold.
    """

    name: str
    method: str
    results: Sequence[Measurement]
    server: Mapping[str, str]
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def result(self, case: str) -> Measurement:
        """The case of that name.

        Raises:
            KeyError: there is none.
        """
        for result in self.results:
            if result.case == case:
                return result
        raise KeyError(case)

    def document(self) -> dict[str, Any]:
        """As one JSON object."""
        return {
            "name": self.name,
            "method": self.method,
            "machine": machine(),
            "server": dict(self.server),
            "facts": dict(self.facts),
            "results": [result.document() for result in self.results],
            "notes": list(self.notes),
        }


def at_least(limit: float, floor: str | None = None) -> Aim:
    """An aim that a ratio, or the value itself, reaches a limit."""
    return Aim(limit, at_least=True, floor=floor)


def at_most(limit: float, floor: str | None = None) -> Aim:
    """An aim that a ratio, or the value itself, does not exceed a limit."""
    return Aim(limit, at_least=False, floor=floor)


def quartiles(rounds: Sequence[float]) -> tuple[float, float]:
    """The first and third quartile: between them lie half of the rounds.

    >>> quartiles([1, 2, 3, 4, 5])
    (2.0, 4.0)
    """
    if len(rounds) == 1:
        return rounds[0], rounds[0]
    first, _, third = statistics.quantiles(rounds, n=4, method="inclusive")
    return first, third


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
