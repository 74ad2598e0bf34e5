"""A scene: what a plot consists of, placed to the unit, before anything is drawn. One unit is one CSS pixel at full size."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

MEASURED_FONT = "DejaVu Sans"
"""Wider than the fonts that browsers choose, and shipped with matplotlib: what fits in it fits in them."""

FONT_SIZE = 12.0
MARK_RADIUS = 6.0

LABEL_GAP = 7.0
"""Between two labels side by side, so that 3 and 5 are not read as 35."""

Anchor = Literal["start", "middle", "end"]
Tone = Literal["ink", "soft", "strong"]


@dataclass(frozen=True)
class Box:
    """A rectangle; y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box) -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


@dataclass(frozen=True)
class Label:
    """A text; `y` is its middle."""

    x: float
    y: float
    text: str
    anchor: Anchor = "start"
    tone: Tone = "ink"
    version: int | None = None

    @property
    def box(self) -> Box:
        width = text_width(self.text, bold=self.tone == "strong")
        left = self.x - {"start": 0.0, "middle": width / 2, "end": width}[self.anchor]
        return Box(left, self.y - FONT_SIZE * 0.6, left + width, self.y + FONT_SIZE * 0.6)


@dataclass(frozen=True)
class Mark:
    """One event: filled where it was recorded, hollow where it occurred when that is another moment."""

    x: float
    y: float
    lane: int
    filled: bool = True
    version: int | None = None

    @property
    def box(self) -> Box:
        reach = MARK_RADIUS + 1
        return Box(self.x - reach, self.y - reach, self.x + reach, self.y + reach)


@dataclass(frozen=True)
class Bar:
    """Several events of one lane; x and y are its upper left corner."""

    x: float
    y: float
    width: float
    height: float
    lane: int

    @property
    def box(self) -> Box:
        return Box(self.x, self.y, self.x + self.width, self.y + self.height)


@dataclass(frozen=True)
class Line:
    """A straight line: a lane or an axis, or with a lane the dashes between occurring and being recorded."""

    x1: float
    y1: float
    x2: float
    y2: float
    lane: int | None = None
    dotted: bool = False

    @property
    def box(self) -> Box:
        across, along = (0, 2) if self.y1 == self.y2 else (2, 0)
        left, right = sorted((self.x1, self.x2))
        top, bottom = sorted((self.y1, self.y2))
        return Box(left - across, top - along, right + across, bottom + along)


@dataclass
class Scene:
    """All that is drawn; `tallest_bar` is the number of events that the tallest bar stands for."""

    width: float
    height: float
    lines: list[Line] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    tallest_bar: int = 0

    def obstacles(self) -> Iterator[Box]:
        """What a further label must not cover: everything but the lines of lanes and axes."""
        yield from (mark.box for mark in self.marks)
        yield from (label.box for label in self.labels)
        yield from (bar.box for bar in self.bars)
        yield from (line.box for line in self.lines if line.lane is not None)

    def is_free(self, label: Label, left: float, top: float, right: float, bottom: float) -> bool:
        """Whether the label lies inside these bounds and covers nothing."""
        box = label.box
        inside = box.left >= left and box.top >= top and box.right <= right and box.bottom <= bottom
        apart = Box(box.left - LABEL_GAP, box.top, box.right + LABEL_GAP, box.bottom)
        return inside and not any(apart.overlaps(other) for other in self.obstacles())


@functools.lru_cache(maxsize=4096)
def text_width(text: str, bold: bool = False) -> float:
    """The width of a text at `FONT_SIZE`, in units; never less than what a browser needs for it."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" or ord(character) > 0x2FFF for character in text)
    narrow = "".join(
        character
        for character in text
        if not (unicodedata.east_asian_width(character) in "WF" or ord(character) > 0x2FFF)
    )
    return wide * FONT_SIZE * 1.1 + _measured(narrow, bold)


def _measured(text: str, bold: bool) -> float:
    font = FontProperties(family=MEASURED_FONT, size=FONT_SIZE, weight="bold" if bold else "normal")
    width, _, _ = TextToPath().get_text_width_height_descent(text, font, ismath=False)
    return float(width)


def shortened(text: str, width: float, bold: bool = False) -> str:
    """The text, cut with an ellipsis where it would be wider than `width` units."""
    if text_width(text, bold) <= width:
        return text
    kept = text
    while kept and text_width(f"{kept}…", bold) > width:
        kept = kept[:-1]
    return f"{kept.rstrip()}…"
