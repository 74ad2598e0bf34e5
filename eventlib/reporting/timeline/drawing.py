"""Draws a scene with matplotlib, as inline SVG."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from eventlib.reporting.inline_svg import INK, LINE, PAPER, SOFT, inline_svg, series
from eventlib.reporting.timeline.scene import FONT_SIZE, MARK_RADIUS, MEASURED_FONT, Label, Line, Mark, Scene

_SHAPES = ("o", "s", "^", "D", "P", "X", "v", "p")
_SIZES = {"^": 1.15, "D": 0.85, "P": 1.15, "X": 1.1, "v": 1.15, "p": 1.1}
_POINTS_PER_INCH = 72
_TONES = {"ink": INK, "soft": SOFT, "strong": INK}


def draw(scene: Scene, name: str, label: str, targets: dict[int, str] | None = None) -> str:
    """The scene as an `<svg>` element.

    Args:
        name: prefix of every id inside, so that several can stand in one page.
        label: what the plot shows, in words.
        targets: what the mark of a version says when pointed at; each such mark links to `#event-<version>`.
    """
    figure = Figure(figsize=(scene.width / _POINTS_PER_INCH, scene.height / _POINTS_PER_INCH))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, scene.width), ylim=(scene.height, 0))
    axes.axis("off")
    for line in scene.lines:
        _line(axes, line)
    for bar in scene.bars:
        colour = series(bar.lane) if bar.lane >= 0 else SOFT
        axes.add_patch(Rectangle((bar.x, bar.y), bar.width, bar.height, facecolor=colour, edgecolor="none", lw=0))
    for mark in scene.marks:
        _mark(axes, mark, targets or {})
    for text in scene.labels:
        _label(axes, text)
    return inline_svg(figure, name, label, targets or {})


def _line(axes: Axes, line: Line) -> None:
    dashes: str | tuple[int, tuple[int, int]] = "-"
    if line.lane is not None:
        dashes = (0, (4, 3))
    elif line.dotted:
        dashes = (0, (1, 4))
    colour = LINE if line.lane is None else series(line.lane)
    axes.plot([line.x1, line.x2], [line.y1, line.y2], color=colour, linewidth=1.4 if line.lane is not None else 1,
              linestyle=dashes, clip_on=False, zorder=1)  # fmt: skip


def _mark(axes: Axes, mark: Mark, targets: dict[int, str]) -> None:
    shape, colour = _SHAPES[mark.lane % len(_SHAPES)], series(mark.lane)
    (drawn,) = axes.plot(
        [mark.x],
        [mark.y],
        marker=shape,
        markersize=2 * MARK_RADIUS * _SIZES.get(shape, 1.0) * (1 if mark.filled else 0.9),
        markerfacecolor=colour if mark.filled else PAPER,
        markeredgecolor=PAPER if mark.filled else colour,
        markeredgewidth=1 if mark.filled else 1.8,
        linestyle="none",
        clip_on=False,
        zorder=3,
    )
    if mark.version in targets:
        drawn.set_url(f"#event-{mark.version}")


def _label(axes: Axes, label: Label) -> None:
    axes.text(
        label.x,
        label.y + FONT_SIZE * 0.36,  # from the middle of a line to its baseline
        label.text,
        color=_TONES[label.tone],
        fontsize=FONT_SIZE,
        family=MEASURED_FONT,
        weight="bold" if label.tone == "strong" else "normal",
        horizontalalignment={"start": "left", "middle": "center", "end": "right"}[label.anchor],
        verticalalignment="baseline",
        parse_math=False,
        clip_on=False,
        zorder=4,
    )
