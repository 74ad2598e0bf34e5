"""How soon events became visible, as a chart."""

from __future__ import annotations

from collections.abc import Sequence

from eventlib.bench.figures import number
from eventlib.projections.health import ProjectionHealth
from eventlib.projections.lag_histogram import LagHistogram
from eventlib.reporting.charts.bars import Bar, Panel, draw_panels, panels_height
from eventlib.reporting.charts.chart import Chart

CLASSES_MS = (5, 10, 20, 50, 100)
KEPT, BROKEN = 2, 1
NARROW = 600.0


def freshness_chart(projections: Sequence[ProjectionHealth], promise_ms: int) -> Chart:
    """Draw the lag of every projection as parts of its events, a bar for each class."""
    bounds = [*(bound for bound in CLASSES_MS if bound < promise_ms), promise_ms]
    panels = [
        Panel(f"{one.name}: {one.lag.events:,} events", _bars(one.lag, bounds)) for one in projections if one.lag.events
    ]
    described = [f"{panel.title}; " + "; ".join(f"{bar.name}: {bar.told}" for bar in panel.bars) for panel in panels]

    def columns(width: float) -> int:
        return 1 if width < NARROW else 2

    return Chart(
        "lag",
        _finding(projections, promise_ms),
        "From the start of the transaction that wrote an event to just before the commit that makes it visible.",
        ". ".join(described) or "No event became visible, 0 ms",
        [
            (
                lambda width: panels_height(panels, columns(width)) if panels else 10.0,
                lambda canvas, top: draw_panels(canvas, panels, top, columns(canvas.width)),
            )
        ],
    )


def _bars(lag: LagHistogram, bounds: Sequence[int]) -> list[Bar]:
    bars, below = [], 0.0
    for lower, bound in zip([0, *bounds], bounds):
        up_to = lag.within(bound) or 0.0
        part, below = up_to - below, up_to
        bars.append(Bar(f"{lower}–{bound} ms", _told(part), [(part, KEPT)]))
    beyond = 1.0 - below
    bars.append(Bar(f"more than {bounds[-1]} ms", _told(beyond), [(beyond, BROKEN)], strong=beyond > 0))
    return bars


def _told(part: float) -> str:
    return f"{100 * part:.3g} %"


def _finding(projections: Sequence[ProjectionHealth], promise_ms: int) -> str:
    known = [(one.lag.quantile(0.99) or 0.0, one) for one in projections if one.lag.events]
    if not known:
        return "No event became visible in this time"
    slowest, one = max(known, key=lambda pair: pair[0])
    half = one.lag.quantile(0.5) or 0.0
    return (
        f"Half of the events were visible within {number(half)} ms and 99 % within {number(slowest)} ms in {one.name}, the "
        f"slowest; {promise_ms} ms is promised"
    )
