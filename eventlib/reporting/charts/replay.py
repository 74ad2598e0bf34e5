"""How long an order's load takes at each length, without and with snapshots, as a chart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from eventlib.bench.figures import number
from eventlib.bench.measurement import Benchmark
from eventlib.bench.replay import (
    FOLD_COLUMNS,
    SAME_STATEMENT,
    UNIT,
    WHOLE_ROWS,
    WORST_TAIL,
    from_snapshot,
    lengths_of,
    replayed,
)
from eventlib.reporting.charts.chart import Chart
from eventlib.reporting.charts.comparison import told_in_words
from eventlib.reporting.charts.lines import LinePlot, Series, draw_lines, plot_height


def replay_chart(benchmark: Benchmark) -> Chart:
    """Draw `bench_replay`."""
    lengths = lengths_of(benchmark)

    def values(case: Callable[[int], str], floor: str | None = None) -> list[float | None]:
        results = [benchmark.result(case(length)) for length in lengths]
        return [result.floor(floor).value if floor else result.value for result in results]

    def fresh(length: int) -> str:
        return from_snapshot(length, 0)

    def stale(length: int) -> str:
        return from_snapshot(length, WORST_TAIL)

    plot = LinePlot(
        "Time to the folded state",
        [f"{length:,}" for length in lengths],
        "events in the order",
        UNIT,
        [
            Series("replayed", values(replayed), 0, told="above"),
            Series(WHOLE_ROWS, values(replayed, WHOLE_ROWS), 0, dashed=True),
            Series(FOLD_COLUMNS, values(replayed, FOLD_COLUMNS), 0, dashed=True),
            Series(f"snapshot + {WORST_TAIL} events", values(stale), 4),
            Series("snapshot", values(fresh), 2, told="below"),
            Series(SAME_STATEMENT, values(fresh, SAME_STATEMENT), 2, dashed=True),
        ],
    )
    return Chart(
        benchmark.name,
        replay_finding(benchmark, lengths),
        "Medians, on a logarithmic scale. Dashed: what libpq alone takes to fetch the rows, and decodes and folds none.",
        told_in_words(benchmark.results),
        [(plot_height, lambda canvas, top: draw_lines(canvas, plot, top))],
    )


def replay_finding(benchmark: Benchmark, lengths: Sequence[int]) -> str:
    """What the figures say."""
    longest = lengths[-1]
    snapshot = benchmark.result(from_snapshot(longest, 0)).value
    whole = benchmark.result(replayed(longest))
    ratio = whole.ratio(whole.floor(WHOLE_ROWS)) or 0.0
    return (
        f"With a snapshot, an order of {longest:,} events loads in {number(snapshot)} ms; replaying it takes "
        f"{number(whole.value)} ms, {ratio:.2f} times what libpq takes to fetch its whole rows"
    )
