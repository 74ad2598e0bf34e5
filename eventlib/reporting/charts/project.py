"""How fast a projector applies what stands in Kafka, as a chart."""

from __future__ import annotations

from eventlib.bench.figures import number, share
from eventlib.bench.measurement import Benchmark
from eventlib.bench.project import BARE
from eventlib.reporting.charts.chart import Chart
from eventlib.reporting.charts.comparison import comparison_chart


def project_chart(benchmark: Benchmark) -> Chart:
    """Draw `bench_project`."""
    return comparison_chart(benchmark, project_finding(benchmark))


def project_finding(benchmark: Benchmark) -> str:
    """What the figures say."""
    (projected,) = benchmark.results
    return (
        f"The projector applies {number(projected.value)} events a second, "
        f"{share(projected.ratio(projected.floor(BARE)) or 0.0)} of a bare loop"
    )
