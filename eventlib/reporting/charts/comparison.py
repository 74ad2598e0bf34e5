"""Any benchmark as bars: each case beside what it is compared with."""

from __future__ import annotations

from collections.abc import Sequence

from eventlib.audit.verdict import Outcome
from eventlib.bench.figures import limit, number, quantity, share
from eventlib.bench.measurement import Aim, Benchmark, Floor, Measurement, quartiles
from eventlib.reporting.charts.bars import Bar, Panel, draw_panels, panels_height
from eventlib.reporting.charts.chart import NARROW, Chart


def comparison_chart(benchmark: Benchmark, title: str, more: Sequence[Panel] = (), unit: str = "") -> Chart:
    """Draw every case, its value above those that it is compared with.

    Args:
        title: the finding.
        more: further panels.
        unit: of the cases to draw, by default all.
    """
    results = [result for result in benchmark.results if not unit or result.unit == unit]
    panels = [*map(_panel, results), *more]

    def columns(width: float) -> int:
        return 1 if width <= NARROW or len(panels) == 1 else 2

    return Chart(
        benchmark.name,
        title,
        "Bars are to one scale within a case. The thin line is where half of the rounds lie. Percentages say how much of "
        "it eventlib comes to.",
        told_in_words(benchmark.results),
        [
            (
                lambda width: panels_height(panels, columns(width)),
                lambda canvas, top: draw_panels(canvas, panels, top, columns(canvas.width)),
            )
        ],
    )


def aims_reached(results: Sequence[Measurement]) -> str:
    """How many aims were reached, such as `3 of 4 aims reached`; empty when there are none."""
    outcomes = [result.outcome(aim) for result in results for aim in result.aims]
    if not outcomes:
        return ""
    reached = sum(outcome is Outcome.VERIFIED for outcome in outcomes)
    return f"{reached} of {len(outcomes)} aim{'s' if len(outcomes) > 1 else ''} reached"


def told_in_words(results: Sequence[Measurement]) -> str:
    """All figures of some cases, as sentences."""
    sentences = []
    for result in results:
        floors = [
            f"{floor.name} {number(floor.value)}, ratio {result.ratio(floor):.2f}"
            for floor in result.floors
            if floor.value
        ]
        compared = f", compared with {'; '.join(floors)}" if floors else ""
        sentences.append(f"{result.case}: {quantity(result.value, result.unit)}{compared}.")
    return " ".join(sentences)


def _panel(result: Measurement) -> Panel:
    aims = {aim.floor: aim for aim in result.aims}
    own = f"{quantity(result.value, result.unit)}{_aim(result, aims.get(None))}"
    bars = [Bar("eventlib", own, [(result.value, 0)], quartiles(result.rounds), strong=True)]
    bars += [_floor_bar(result, floor, aims.get(floor.name)) for floor in result.floors]
    return Panel(result.case, bars)


def _floor_bar(result: Measurement, floor: Floor, aim: Aim | None) -> Bar:
    if floor.value is None:
        return Bar(floor.name, "not measured", [(0.0, None)])
    ratio = result.ratio(floor)
    told = f"{quantity(floor.value, result.unit)}, {share(ratio or 0.0)}{_aim(result, aim)}"
    return Bar(floor.name, told, [(floor.value, None)], quartiles(floor.rounds))


def _aim(result: Measurement, aim: Aim | None) -> str:
    if aim is None:
        return ""
    mark = {Outcome.VERIFIED: "✓", Outcome.FAILED: "✗", Outcome.NOT_COVERED: "?"}[result.outcome(aim)]
    return f" (aim {limit(aim, result.unit)} {mark})"
