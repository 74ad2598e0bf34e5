"""Lines over a few places, on a logarithmic scale, each named at its end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from eventlib.bench.figures import number
from eventlib.reporting.charts.canvas import DOT_RADIUS, Canvas
from eventlib.reporting.timeline.scene import Box, Label, shortened, text_width

LINE_GAP = 15.0
LEADER = 16.0
PLACE_GAP = 16.0
NARROW = 600.0
HIGH, NARROW_HIGH = 300.0, 330.0


@dataclass(frozen=True)
class Series:
    """A line.

    Attributes:
        name: what it stands for.
        values: one for each place of the axis; None where there is none.
        colour: one of the style sheet's series.
        dashed: a line to compare with; without dots.
        told: write the value at every dot: above it, below it, or not at all.
    """

    name: str
    values: Sequence[float | None]
    colour: int
    dashed: bool = False
    told: str = ""


@dataclass(frozen=True)
class LinePlot:
    """Lines over places that have names, in one unit."""

    title: str
    places: Sequence[str]
    axis: str
    unit: str
    series: Sequence[Series] = field(default_factory=list)


def plot_height(width: float) -> float:
    """The height that `draw_lines` needs on a canvas of that width."""
    return (NARROW_HIGH if width < NARROW else HIGH) + 4 * PLACE_GAP + 24


def draw_lines(canvas: Canvas, plot: LinePlot, top: float) -> None:
    """Draw a plot below `top`."""
    narrow = canvas.width < NARROW
    canvas.text(0, top + 9, shortened(plot.title, canvas.width, bold=True), tone="strong")
    top += 34
    bottom = top + (NARROW_HIGH if narrow else HIGH) - 10
    low, high, ticks = scale_of([value for line in plot.series for value in line.values if value is not None])
    left = max(text_width(f"{tick:,g} {plot.unit}") for tick in ticks) + 12
    named = 0.35 * canvas.width if narrow else 260.0
    right = canvas.width - named - LEADER

    def y_of(value: float) -> float:
        return bottom - math.log(value / low) / math.log(high / low) * (bottom - top)

    inset = 22.0 if not narrow else 16.0
    gap = (right - left - 2 * inset) / max(1, len(plot.places) - 1)
    xs = [left + inset + index * gap for index in range(len(plot.places))]
    for tick in ticks:
        canvas.rule(left, y_of(tick), right, y_of(tick))
        canvas.text(left - 8, y_of(tick), f"{tick:,g} {plot.unit}", "end", "soft")
    for x, place in zip(xs, plot.places):
        # A place that would meet the one before it stands a line lower.
        upper, lower = (Label(x, bottom + PLACE_GAP * line, place, "middle", "soft") for line in (1, 2))
        chosen = upper if is_free(canvas, upper) else lower
        canvas.text(chosen.x, chosen.y, place, "middle", "soft")
    lowest = max(label.y for label in canvas.labels)
    canvas.text(left + inset, lowest + PLACE_GAP * 1.2, shortened(plot.axis, right - left), tone="soft")
    ends = [_draw_series(canvas, line, xs, [value and y_of(value) for value in line.values]) for line in plot.series]
    _name_ends(canvas, plot, ends, right, named, (top - 18, bottom))


def _draw_series(
    canvas: Canvas, line: Series, xs: Sequence[float], ys: Sequence[float | None]
) -> tuple[float, float, float]:
    """Draw a line; its last point and value."""
    known = [(x, y, value) for x, y, value in zip(xs, ys, line.values) if y is not None and value is not None]
    canvas.path([(x, y) for x, y, _ in known], line.colour, dashed=line.dashed)
    for x, y, value in known:
        if not line.dashed:
            canvas.dot(x, y, line.colour)
        if line.told:
            offset = -DOT_RADIUS - 9 if line.told == "above" else DOT_RADIUS + 9
            if is_free(canvas, Label(x, y + offset, number(value), "middle")):
                canvas.text(x, y + offset, number(value), "middle")
    return known[-1]


def _name_ends(
    canvas: Canvas,
    plot: LinePlot,
    ends: Sequence[tuple[float, float, float]],
    right: float,
    width: float,
    between: tuple[float, float],
) -> None:
    """Write each line's name and last value beside its end; names that would meet give way, and keep a leader."""
    narrow = canvas.width < NARROW
    height = LINE_GAP * 2 + 4 if narrow else LINE_GAP + 3
    order = sorted(range(len(ends)), key=lambda index: ends[index][1])
    placed = spread([ends[index][1] for index in order], height, *between)
    for index, y in zip(order, placed):
        line, (x, end, value) = plot.series[index], ends[index]
        canvas.rule(x + DOT_RADIUS + 2, end, right, y)
        canvas.rule(right, y, right + LEADER - 5, y)
        told, tone = f"{number(value)} {plot.unit}", "soft" if line.dashed else "ink"
        if narrow:
            canvas.text(right + LEADER, y - LINE_GAP / 2, shortened(line.name, width), tone="soft")
            canvas.text(right + LEADER, y + LINE_GAP / 2, told, tone="soft" if line.dashed else "strong")
        else:
            name = shortened(line.name, width - text_width(f" {told}", bold=True))
            canvas.text(right + LEADER, y, f"{name} {told}", tone="soft" if tone == "soft" else "strong")


def is_free(canvas: Canvas, label: Label) -> bool:
    """Whether a label meets none that was written before."""
    apart = Box(label.box.left - 3, label.box.top, label.box.right + 3, label.box.bottom)
    return not any(apart.overlaps(other.box) for other in canvas.labels)


def spread(wanted: Sequence[float], height: float, top: float, bottom: float) -> list[float]:
    """Places as near to the wanted ones as may be, at least `height` apart, from `top` to `bottom` if there is room.

    >>> spread([10, 11, 50], 10, 0, 100)
    [5.5, 15.5, 50.0]

    Args:
        wanted: in ascending order.
    """
    runs: list[_Run] = []
    for place in wanted:
        runs.append(_Run(1, place))
        while len(runs) > 1 and runs[-2].first + runs[-2].number * height > runs[-1].first:
            later, earlier = runs.pop(), runs.pop()
            total = earlier.total + later.total - earlier.number * height * later.number
            runs.append(_Run(earlier.number + later.number, total))
    places = [run.first + height * step for run in runs for step in range(run.number)]
    for index in range(len(places) - 1, -1, -1):
        limit = bottom if index == len(places) - 1 else places[index + 1] - height
        places[index] = min(places[index], limit)
    for index, place in enumerate(places):
        limit = top if index == 0 else places[index - 1] + height
        places[index] = max(place, limit)
    return places


@dataclass(frozen=True)
class _Run:
    """Places that touch; `total` is the sum of where each of them would have the first one stand."""

    number: int
    total: float

    @property
    def first(self) -> float:
        return self.total / self.number


def scale_of(values: Sequence[float]) -> tuple[float, float, list[float]]:
    """From where to where a logarithmic scale goes that holds all values, and the round numbers on it.

    >>> scale_of([3, 400])
    (2.0, 600.0, [10.0, 100.0])
    >>> scale_of([3, 6])
    (2.0, 9.0, [2.0, 5.0])
    """
    low, high = min(values) / 1.5, max(values) * 1.5
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    decades = [10.0**exponent for exponent in exponents if low <= 10.0**exponent <= high]
    if len(decades) >= 2:
        return low, high, decades
    steps = [step * 10.0**exponent for exponent in exponents for step in (1, 2, 5)]
    return low, high, [step for step in steps if low <= step <= high]
