"""How fast read models are made anew, as a chart."""

from __future__ import annotations

from eventlib.bench.figures import number, share
from eventlib.bench.measurement import Benchmark
from eventlib.bench.rebuild import COPY
from eventlib.reporting.charts.chart import Chart
from eventlib.reporting.charts.comparison import comparison_chart


def rebuild_chart(benchmark: Benchmark) -> Chart:
    """Draw `bench_rebuild`."""
    return comparison_chart(benchmark, rebuild_finding(benchmark))


def rebuild_finding(benchmark: Benchmark) -> str:
    """What the figures say."""
    told = [
        f"{result.case}: {number(result.value)} events a second, {share(result.ratio(result.floor(COPY)) or 0.0)} of COPY TO"
        for result in benchmark.results
    ]
    return "A rebuild from the log, " + "; ".join(told)
