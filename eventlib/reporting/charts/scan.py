"""How fast the whole log comes as typed events, as a chart."""

from __future__ import annotations

from eventlib.bench.figures import number, share
from eventlib.bench.measurement import Benchmark
from eventlib.bench.scan import COPY, MEMORY, UNIT, typed
from eventlib.reporting.charts.chart import Chart
from eventlib.reporting.charts.comparison import comparison_chart


def scan_chart(benchmark: Benchmark) -> Chart:
    """Draw `bench_scan`."""
    return comparison_chart(benchmark, scan_finding(benchmark), unit=UNIT)


def scan_finding(benchmark: Benchmark) -> str:
    """What the figures say."""
    processes = benchmark.facts["processes"]
    memory = benchmark.result(MEMORY)
    one, several = benchmark.result(typed(1)), benchmark.result(typed(processes))
    of_one, of_several = (result.ratio(result.floor(COPY)) or 0.0 for result in (one, several))
    return (
        f"One process reads {number(one.value)} typed events a second, {share(of_one)} of what COPY brings; {processes} "
        f"processes read {number(several.value)}, {share(of_several)} of it; memory grows by {number(memory.value)} MiB"
    )
