"""A benchmark as the lines of a table, the same on a terminal and on a page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from eventlib.audit.verdict import Outcome
from eventlib.bench.figures import limit, number, quantity
from eventlib.bench.measurement import Aim, Benchmark, Floor, Measurement, quartiles

HEADINGS = ("case", "median", "half of the rounds", "compared with", "its median", "value ÷ it", "aim", "")

REACHED = {Outcome.VERIFIED: "reached", Outcome.FAILED: "missed", Outcome.NOT_COVERED: "not measured"}


@dataclass(frozen=True)
class Line:
    """One line: a case and one thing that it is compared with.

    Attributes:
        case: empty where it is the one of the line above, as are value and spread.
        value: the median with its unit.
        spread: the quartiles over the rounds.
        floor: what it is compared with; empty if nothing.
        floor_value: its median, or why there is none.
        ratio: value over floor.
        aim: such as `≥ 0.9`, of the ratio; or with a unit, such as `≤ 0.45 ms`, of the value. Empty without one.
        outcome: of the aim.
    """

    case: str
    value: str
    spread: str
    floor: str
    floor_value: str
    ratio: str
    aim: str
    outcome: Outcome | None

    @property
    def cells(self) -> tuple[str, ...]:
        """The texts under `HEADINGS`."""
        reached = REACHED[self.outcome] if self.outcome else ""
        return self.case, self.value, self.spread, self.floor, self.floor_value, self.ratio, self.aim, reached


def lines(benchmark: Benchmark) -> list[Line]:
    """All lines, case by case."""
    return [line for result in benchmark.results for line in _lines_of(result)]


def _lines_of(result: Measurement) -> Iterator[Line]:
    first, third = quartiles(result.rounds)
    head = (result.case, quantity(result.value, result.unit), f"{number(first)}–{number(third)}")
    for floor, aim in list(_compared(result)) or [(None, None)]:
        yield Line(
            *head,
            floor=floor.name if floor else "",
            floor_value=_floor_value(floor),
            ratio=_ratio(result, floor),
            aim=limit(aim, result.unit) if aim else "",
            outcome=result.outcome(aim) if aim else None,
        )
        head = ("", "", "")


def _compared(result: Measurement) -> Iterator[tuple[Floor | None, Aim | None]]:
    """Each floor with its aim. Aims for the value itself stand where there is room, or on lines of their own."""
    of_itself = [aim for aim in result.aims if aim.floor is None]
    for floor in result.floors:
        aims = [aim for aim in result.aims if aim.floor == floor.name]
        if not aims and of_itself:
            aims = [of_itself.pop(0)]
        yield from ((floor, aim) for aim in aims)
        if not aims:
            yield floor, None
    yield from ((None, aim) for aim in of_itself)


def _floor_value(floor: Floor | None) -> str:
    if floor is None:
        return ""
    return f"not measured: {floor.missing}" if floor.value is None else number(floor.value)


def _ratio(result: Measurement, floor: Floor | None) -> str:
    ratio = result.ratio(floor) if floor else None
    return "" if ratio is None else f"{ratio:.2f}"
