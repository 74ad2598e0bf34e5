"""What the store adds to an append, as a chart."""

from __future__ import annotations

from eventlib.bench.append import STATEMENT_LOOP
from eventlib.bench.figures import share
from eventlib.bench.measurement import Benchmark
from eventlib.reporting.charts.chart import Chart
from eventlib.reporting.charts.comparison import aims_reached, comparison_chart


def append_chart(benchmark: Benchmark) -> Chart:
    """Draw `bench_append`."""
    return comparison_chart(benchmark, append_finding(benchmark))


def append_finding(benchmark: Benchmark) -> str:
    """What the figures say."""
    ratios = [result.ratio(result.floor(STATEMENT_LOOP)) or 0.0 for result in benchmark.results]
    least, most = share(min(ratios)), share(max(ratios))
    reach = f"{least} to {most}" if least != most else least
    return (
        f"The store appends at {reach} of the rate of a bare loop that executes the same statement; "
        f"{aims_reached(benchmark.results)}"
    )
