"""Bars below their own words: the form that needs no axis, no legend and no room for long names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eventlib.reporting.charts.canvas import Canvas
from eventlib.reporting.timeline.scene import Tone, shortened, text_width

ROW_HEIGHT = 34.0
BAR_HEIGHT = 9.0
HEADING_HEIGHT = 26.0
PANEL_GAP = 22.0
COLUMN_GAP = 44.0


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        name: what it stands for.
        told: its figure, and what it means.
        parts: its lengths one after the other, each with its colour; None for a quiet one.
        spread: from where to where half of the rounds lie.
        strong: whether it is the one that the plot is about.
    """

    name: str
    told: str
    parts: Sequence[tuple[float, int | None]]
    spread: tuple[float, float] | None = None
    strong: bool = False

    @property
    def length(self) -> float:
        return sum(length for length, _ in self.parts)

    @property
    def reach(self) -> float:
        """How far it reaches, whisker included."""
        return max(self.length, self.spread[1] if self.spread else 0.0)


@dataclass(frozen=True)
class Panel:
    """Bars to one scale."""

    title: str
    bars: Sequence[Bar]

    @property
    def height(self) -> float:
        return (HEADING_HEIGHT if self.title else 0) + ROW_HEIGHT * len(self.bars)


def panels_height(panels: Sequence[Panel], columns: int) -> float:
    """The height that `draw_panels` needs."""
    rows = [panels[first : first + columns] for first in range(0, len(panels), columns)]
    return sum(max(panel.height for panel in row) for row in rows) + PANEL_GAP * (len(rows) - 1)


def draw_panels(canvas: Canvas, panels: Sequence[Panel], top: float, columns: int) -> None:
    """Draw panels side by side in columns, row by row."""
    width = (canvas.width - COLUMN_GAP * (columns - 1)) / columns
    for first in range(0, len(panels), columns):
        row = panels[first : first + columns]
        for index, panel in enumerate(row):
            _draw_panel(canvas, panel, index * (width + COLUMN_GAP), top, width)
        top += max(panel.height for panel in row) + PANEL_GAP


def _draw_panel(canvas: Canvas, panel: Panel, left: float, top: float, width: float) -> None:
    if panel.title:
        canvas.text(left, top + 9, shortened(panel.title, width, bold=True), tone="strong")
        top += HEADING_HEIGHT
    scale = width / (max((bar.reach for bar in panel.bars), default=0.0) or 1.0)
    for number, bar in enumerate(panel.bars):
        _draw_bar(canvas, bar, left, top + number * ROW_HEIGHT, width, scale)


def _draw_bar(canvas: Canvas, bar: Bar, left: float, top: float, width: float, scale: float) -> None:
    tone: Tone = "strong" if bar.strong else "ink"
    told = shortened(bar.told, width)
    room = width - text_width(told, bold=bar.strong) - 14
    canvas.text(left, top + 7, shortened(bar.name, room, bold=bar.strong), tone=tone)
    canvas.text(left + width, top + 7, told, "end", "strong" if bar.strong else "soft")
    y, x = top + 16, left
    for length, colour in bar.parts:
        canvas.bar(x, y, length * scale, BAR_HEIGHT, colour)
        x += length * scale
    if bar.spread:
        canvas.whisker(left + bar.spread[0] * scale, left + bar.spread[1] * scale, y + BAR_HEIGHT / 2)
