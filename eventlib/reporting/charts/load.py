"""How fast the bulk load is and what each index costs, as a chart."""

from __future__ import annotations

from eventlib.bench.figures import number, share
from eventlib.bench.load import COPY, LOAD_AIM, QUIET
from eventlib.bench.measurement import Benchmark
from eventlib.reporting.charts.bars import Bar, Panel
from eventlib.reporting.charts.chart import Chart
from eventlib.reporting.charts.comparison import comparison_chart


def load_chart(benchmark: Benchmark) -> Chart:
    """Draw `bench_load`."""
    indexes = benchmark.facts.get("indexes", [])
    bars = [
        Bar(
            index["name"],
            f"{number(index['us_per_event'])} µs and {number(index['bytes_per_event'])} B an event",
            [(max(0.0, index["us_per_event"]), 0)],
        )
        for index in indexes
    ]
    more = [Panel("What each index adds to a load", bars)] if bars else []
    without_indexes = Benchmark(benchmark.name, benchmark.method, benchmark.results[:2], benchmark.server)
    return comparison_chart(without_indexes, load_finding(benchmark), more)


def load_finding(benchmark: Benchmark) -> str:
    """What the figures say."""
    quiet = benchmark.result(QUIET)
    ratio = quiet.ratio(quiet.floor(COPY)) or 0.0
    above = "above" if quiet.value >= LOAD_AIM else "below"
    return (
        f"The bulk load takes {number(quiet.value)} events a second with all indexes, {above} the {number(LOAD_AIM)} aimed "
        f"at and {share(ratio)} of a COPY of ready-made rows"
    )
