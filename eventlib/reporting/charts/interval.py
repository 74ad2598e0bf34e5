"""What each snapshot interval costs, as a chart."""

from __future__ import annotations

from eventlib.bench.figures import number
from eventlib.bench.interval import IntervalStudy, named
from eventlib.bench.interval_cost import Candidate
from eventlib.reporting.charts.bars import Bar, Panel, draw_panels, panels_height
from eventlib.reporting.charts.chart import Chart
from eventlib.reporting.charts.lines import LinePlot, Series, draw_lines, plot_height

PERCENTILES = ((0.99, "99 of 100 loads"), (0.95, "95 of 100"), (0.5, "half of the loads"))


def interval_chart(study: IntervalStudy) -> Chart:
    """Draw `bench_interval`: the loads by interval, and what a command costs."""
    candidates = study.candidates
    plot = LinePlot(
        "Loads end within",
        ["none" if candidate.every is None else f"{candidate.every:,}" for candidate in candidates],
        "events between two snapshots",
        "ms",
        [
            Series(name, [candidate.percentile(share) for candidate in candidates], colour, told=told)
            for (share, name), colour, told in zip(PERCENTILES, (1, 4, 0), ("above", "", "below"))
        ],
    )
    panel = [Panel("Cost of a command, by snapshot interval", [_bar(study, candidate) for candidate in candidates])]
    return Chart(
        "interval",
        interval_finding(study),
        "Above: percentiles of load latency, on a logarithmic scale. Below: a bar is the mean load, followed by what taking "
        "and keeping snapshots adds.",
        _description(study),
        [
            (plot_height, lambda canvas, top: draw_lines(canvas, plot, top)),
            (lambda width: panels_height(panel, 1), lambda canvas, top: draw_panels(canvas, panel, top, 1)),
        ],
    )


def interval_finding(study: IntervalStudy) -> str:
    """What the figures say."""
    best = study.recommendation
    cost = f"{number(best.cost)} ms a command"
    what = (
        f"A snapshot {named(best.every)} events costs least: {cost}"
        if best.every
        else f"No snapshots cost least: {cost}"
    )
    if not best.near:
        return f"{what}; no other interval comes within 5 % of it"
    near = [named(every) for every in best.near]
    joined = " and ".join([", ".join(near[:-1]), near[-1]] if len(near) > 1 else near)
    return f"{what}; {joined} {'is' if len(near) == 1 else 'are'} within 5 % of it"


def _bar(study: IntervalStudy, candidate: Candidate) -> Bar:
    cost = candidate.cost(study.storage_ms_per_kib)
    added = cost.snapshots + cost.storage
    told = f"{number(cost.total)} ms = load {number(cost.load)}" + (f" + snapshots {number(added)}" if added else "")
    return Bar(
        named(candidate.every),
        told,
        [(cost.load, 0), (cost.snapshots, 1), (cost.storage, 3)],
        strong=candidate.every == study.recommendation.every,
    )


def _description(study: IntervalStudy) -> str:
    return " ".join(
        f"Snapshots {named(candidate.every)}: half of the loads within {number(candidate.percentile(0.5))} ms, "
        f"99 of 100 within {number(candidate.percentile(0.99))} ms, "
        f"a command costs {number(candidate.cost(study.storage_ms_per_kib).total)} ms."
        for candidate in study.candidates
    )
