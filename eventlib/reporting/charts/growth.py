"""What a growing log does to appends and loads, and to the disk, as a chart."""

from __future__ import annotations

from eventlib.bench.figures import quantity, size
from eventlib.bench.growth import CASES, at, disk_used
from eventlib.bench.measurement import Benchmark, Measurement, quartiles
from eventlib.reporting.charts.bars import Bar, Panel, draw_panels, panels_height
from eventlib.reporting.charts.chart import NARROW, Chart
from eventlib.reporting.charts.comparison import told_in_words


def growth_chart(benchmark: Benchmark) -> Chart:
    """Draw `bench_growth`."""
    start, events = benchmark.facts["start"], benchmark.facts["events"]
    panels = [
        Panel(
            case,
            [
                _bar(benchmark.result(at(case, start)), start, False),
                _bar(benchmark.result(at(case, events)), events, True),
            ],
        )
        for case in CASES
    ]
    disk = [
        Bar(late.name, size(late.size), [(late.size, None)])
        for _, late in disk_used(benchmark)
        if late.table == "event_store"
    ]
    panels.append(Panel(f"The log on the disk, at {events:,} events", disk))

    def columns(width: float) -> int:
        return 1 if width <= NARROW else 2

    return Chart(
        benchmark.name,
        growth_finding(benchmark),
        "Bars are to one scale within a panel. The thin line is where half of the rounds lie.",
        told_in_words(benchmark.results),
        [
            (
                lambda width: panels_height(panels, columns(width)),
                lambda canvas, top: draw_panels(canvas, panels, top, columns(canvas.width)),
            )
        ],
    )


def growth_finding(benchmark: Benchmark) -> str:
    """What the figures say."""
    start, events = benchmark.facts["start"], benchmark.facts["events"]
    late = [benchmark.result(at(case, events)) for case in CASES]
    ratios = [result.ratio(result.floors[0]) or 0.0 for result in late]
    log = sum(used.size for _, used in disk_used(benchmark) if used.table == "event_store")
    return (
        f"From {start:,} to {events:,} events, appends take {ratios[0]:.2f} times as long and loads "
        f"{min(ratios[1:]):.2f} to {max(ratios[1:]):.2f} times; the log with its indexes takes {size(log)} of the disk"
    )


def _bar(result: Measurement, events: int, strong: bool) -> Bar:
    told = quantity(result.value, result.unit)
    if result.floors:
        told += f", {result.ratio(result.floors[0]):.2f} times"
    parts = [(result.value, 0 if strong else None)]
    return Bar(f"{events:,} events", told, parts, quartiles(result.rounds), strong=strong)
