"""A chart: its finding, the same in words, and its drawings for wide and for narrow screens."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from eventlib.reporting.charts.canvas import Canvas
from eventlib.reporting.fragment import style_sheet
from eventlib.reporting.timeline.scene import text_width

WIDE, NARROW = 1000.0, 400.0
MARGIN = 28.0
TITLE_SIZE = 17.0
TITLE_LINE = 24.0
CAPTION_LINE = 18.0

Block = tuple[Callable[[float], float], Callable[[Canvas, float], None]]
"""A part of a chart: the height that it needs on a canvas of some width, and what draws it below some y."""

BLOCK_GAP = 26.0


@dataclass(frozen=True)
class Chart:
    """A plot that states what it shows.

    Attributes:
        name: prefix of the ids in it, and of its file.
        title: the finding, computed from the figures.
        caption: how to read it.
        description: all that it shows, in words.
        blocks: its parts, from top to bottom.
    """

    name: str
    title: str
    caption: str
    description: str
    blocks: Sequence[Block]

    def canvas(self, width: float) -> Canvas:
        """The chart drawn at a width."""
        heights = [height(width) for height, _ in self.blocks]
        canvas = Canvas(width, sum(heights) + BLOCK_GAP * (len(heights) - 1) + 6)
        top = 2.0
        for (_, draw), height in zip(self.blocks, heights):
            draw(canvas, top)
            top += height + BLOCK_GAP
        return canvas

    @property
    def wide(self) -> str:
        """The chart for wide screens and paper, as an `<svg>` element in the colours of the page."""
        return self.canvas(WIDE).svg(f"{self.name}-wide", self.description)

    @property
    def narrow(self) -> str:
        """The chart for narrow screens, likewise."""
        return self.canvas(NARROW).svg(f"{self.name}-narrow", self.description)

    @property
    def file(self) -> str:
        """The chart as an SVG file of its own, with its title, its caption and its colours by day and by night."""
        canvas = self.canvas(WIDE)
        drawn = canvas.svg(self.name, self.description)
        titles, captions = wrapped(self.title, TITLE_SIZE, bold=True), wrapped(self.caption, 12.0)
        texts = [(MARGIN + TITLE_LINE * number, "title", line) for number, line in enumerate(titles)]
        below = MARGIN + TITLE_LINE * (len(titles) - 1) + 8
        texts += [(below + CAPTION_LINE * number, "soft", line) for number, line in enumerate(captions, start=1)]
        top = below + CAPTION_LINE * len(captions) + 18
        height = top + canvas.height + MARGIN
        width = WIDE + 2 * MARGIN
        lines = "".join(
            f'<text x="{MARGIN:g}" y="{y:g}" class="{kind}">{escape(line)}</text>' for y, kind, line in texts
        )
        placed = drawn.replace(
            "<svg", f'<svg x="{MARGIN:g}" y="{top:g}" width="{WIDE:g}" height="{canvas.height:g}" overflow="visible"', 1
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
            f'height="{height:g}" role="img" aria-label="{escape(f"{self.title}. {self.description}")}">'
            f"<title>{escape(self.title)}</title><style>{_file_style()}</style>"
            f'<rect width="100%" height="100%" fill="var(--paper)"/>{lines}{placed}</svg>\n'
        )


def wrapped(text: str, size: float, *, bold: bool = False) -> list[str]:
    """A text in lines that are no wider than a wide chart, at a font size."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, bold) * size / 12.0 <= WIDE:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _file_style() -> str:
    """The sheet's colours, for a file that has no page around it."""
    sheet = style_sheet()
    by_day = _variables(sheet[: sheet.index("@media")])
    by_night = _variables(sheet[sheet.index("(prefers-color-scheme: dark)") :].split("}", 1)[0])
    return (
        f"svg {{ {by_day} font: 12px system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', "
        "sans-serif; color-scheme: light dark; } "
        f"@media (prefers-color-scheme: dark) {{ svg {{ {by_night} }} }} "
        "text { fill: var(--ink); paint-order: stroke; stroke: var(--paper); stroke-width: 4px; stroke-linejoin: round; "
        "font-variant-numeric: tabular-nums; } "
        f"text.title {{ font-size: {TITLE_SIZE:g}px; font-weight: 680; }} text.soft {{ fill: var(--soft); }}"
    )


def _variables(block: str) -> str:
    return " ".join(f"{name}: {colour};" for name, colour in re.findall(r"(--[a-z0-9-]+): (#[0-9a-f]{6})", block))
