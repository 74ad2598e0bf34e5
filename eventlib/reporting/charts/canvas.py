"""A drawing surface with labels of known size; one unit is one CSS pixel at full size, and y grows downwards."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from eventlib.reporting.inline_svg import INK, LINE, PAPER, SOFT, inline_svg, series
from eventlib.reporting.timeline.scene import FONT_SIZE, MEASURED_FONT, Anchor, Label, Tone

_POINTS_PER_INCH = 72
_TONES = {"ink": INK, "soft": SOFT, "strong": INK}
_ANCHORS = {"start": "left", "middle": "center", "end": "right"}

DOT_RADIUS = 4.0


class Canvas:
    """What a plot is drawn on. Colours are numbers: each stands for one of the style sheet's series."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.labels: list[Label] = []
        self._figure = Figure(figsize=(width / _POINTS_PER_INCH, height / _POINTS_PER_INCH))
        self._axes = self._figure.add_axes((0, 0, 1, 1))
        self._axes.set(xlim=(0, width), ylim=(height, 0))
        self._axes.axis("off")

    def text(self, x: float, y: float, text: str, anchor: Anchor = "start", tone: Tone = "ink") -> None:
        """Write a line; `y` is its middle."""
        self.labels.append(Label(x, y, text, anchor, tone))
        self._axes.text(
            x,
            y + FONT_SIZE * 0.36,  # from the middle of a line to its baseline
            text,
            color=_TONES[tone],
            fontsize=FONT_SIZE,
            family=MEASURED_FONT,
            weight="bold" if tone == "strong" else "normal",
            horizontalalignment=_ANCHORS[anchor],
            verticalalignment="baseline",
            parse_math=False,
            clip_on=False,
            zorder=4,
        )

    def rule(self, x1: float, y1: float, x2: float, y2: float) -> None:
        """A quiet line: of a grid, or from a label to what it names."""
        self._axes.plot([x1, x2], [y1, y2], color=LINE, linewidth=1, clip_on=False, zorder=1)

    def whisker(self, x1: float, x2: float, y: float) -> None:
        """From where to where half of the rounds lie."""
        self._axes.plot([x1, x2], [y, y], color=INK, linewidth=1.4, clip_on=False, zorder=3)

    def path(self, points: Sequence[tuple[float, float]], colour: int, *, dashed: bool = False) -> None:
        """A line through points."""
        xs, ys = zip(*points)
        dashes: str | tuple[int, tuple[int, int]] = (0, (4, 3)) if dashed else "-"
        width = 1.4 if dashed else 2.2
        self._axes.plot(xs, ys, color=series(colour), linewidth=width, linestyle=dashes, clip_on=False, zorder=2)

    def dot(self, x: float, y: float, colour: int) -> None:
        """A measured point."""
        self._axes.plot(
            [x], [y], marker="o", markersize=2 * DOT_RADIUS, markerfacecolor=series(colour), markeredgecolor=PAPER,
            markeredgewidth=1, linestyle="none", clip_on=False, zorder=3,
        )  # fmt: skip

    def bar(self, x: float, y: float, width: float, height: float, colour: int | None) -> None:
        """A bar from its upper left corner; without a colour a quiet one."""
        face = LINE if colour is None else series(colour)
        self._axes.add_patch(Rectangle((x, y), width, height, facecolor=face, edgecolor="none", lw=0, zorder=2))

    def svg(self, name: str, label: str) -> str:
        """As an `<svg>` element.

        Args:
            name: prefix of every id inside, so that several can stand in one page.
            label: what the plot shows, in words.
        """
        return inline_svg(self._figure, name, label)
