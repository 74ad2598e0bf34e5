"""How fast a backlog of the outbox gets to Kafka, as a chart."""

from __future__ import annotations

from eventlib.bench.figures import number, share
from eventlib.bench.measurement import Benchmark
from eventlib.bench.relay import BARE, LIBRDKAFKA
from eventlib.reporting.charts.chart import Chart
from eventlib.reporting.charts.comparison import comparison_chart


def relay_chart(benchmark: Benchmark) -> Chart:
    """Draw `bench_relay`."""
    return comparison_chart(benchmark, relay_finding(benchmark))


def relay_finding(benchmark: Benchmark) -> str:
    """What the figures say."""
    (drained,) = benchmark.results
    of_bare, of_librdkafka = (share(drained.ratio(drained.floor(name)) or 0.0) for name in (BARE, LIBRDKAFKA))
    return (
        f"The relay publishes {number(drained.value)} events a second, {of_bare} of a bare loop and {of_librdkafka} of "
        "librdkafka alone"
    )
