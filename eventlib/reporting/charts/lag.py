"""From commit to visible at a steady load, as a chart."""

from __future__ import annotations

from eventlib.bench.figures import number
from eventlib.bench.lag import HALF, MOST
from eventlib.bench.measurement import Benchmark
from eventlib.reporting.charts.chart import Chart
from eventlib.reporting.charts.comparison import comparison_chart


def lag_chart(benchmark: Benchmark) -> Chart:
    """Draw `bench_lag`."""
    return comparison_chart(benchmark, lag_finding(benchmark))


def lag_finding(benchmark: Benchmark) -> str:
    """What the figures say."""
    half, most = benchmark.result(HALF), benchmark.result(MOST)
    return (
        f"At {benchmark.facts['rate']:,} events a second half of them are visible within {number(half.value)} ms and 99 % "
        f"within {number(most.value)} ms"
    )
