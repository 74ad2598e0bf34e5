"""The timeline for wide screens and paper: time runs to the right, one lane for each kind of actor."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from eventlib.reporting.timeline.moments import Moment, is_told_later, lanes
from eventlib.reporting.timeline.scene import (
    FONT_SIZE,
    MARK_RADIUS,
    Bar,
    Label,
    Line,
    Mark,
    Scene,
    shortened,
    text_width,
)
from eventlib.temporal.durations import in_words

WIDTH = 1000.0
LANE_HEIGHT = 46.0
BUSY_LANE_HEIGHT = 84.0
TOP = 16.0
AXIS_HEIGHT = 44.0
MAX_LANE_NAME = 170.0
MAX_LABEL = 250.0

FOLDED_ABOVE = 44
"""Of more events than that, only the noteworthy are shown one by one, and the others as bars."""

SHOWN_WHEN_FOLDED = 16
BAR_WIDTH = 12.0
BAR_HEIGHT = 24.0
SHOWN_STEP = 46.0
QUIET = timedelta(minutes=10)


@dataclass(frozen=True)
class _Point:
    """A place on the time axis."""

    at: datetime
    version: int
    x: float = 0.0


def wide_scene(moments: Sequence[Moment]) -> Scene:
    """Place a history of one event or more."""
    rows = lanes(moments)
    shown = noteworthy(moments, SHOWN_WHEN_FOLDED) if len(moments) > FOLDED_ABOVE else list(moments)
    left = min(MAX_LANE_NAME, max(text_width(lane) for lane in rows)) + 28
    row_y, bottom = _rows(rows, Counter(lane_index(moment, rows) for moment in shown))
    scene = Scene(WIDTH, bottom + AXIS_HEIGHT)
    for lane, y in row_y.items():
        scene.labels.append(Label(0, y, shortened(lane, MAX_LANE_NAME), tone="soft"))
        scene.lines.append(Line(left - 12, y, WIDTH, y))
    versions = {moment.version for moment in shown}
    points = _spread(_points(moments), versions if len(shown) < len(moments) else set(), left, WIDTH - 16)
    _place_ticks(scene, points, bottom)
    x_at = {(point.at, point.version): point.x for point in points}
    if len(shown) < len(moments):
        _place_bars(scene, [moment for moment in moments if moment.version not in versions], x_at, row_y, rows)
    for moment in shown:
        _place_marks(scene, moment, x_at, row_y, rows)
    later = is_told_later(moments)
    for moment in sorted(shown, key=lambda moment: (-moment.is_apart, -moment.weight, moment.version)):
        _place_label(scene, moment, later, left)
    return scene


def _rows(rows: Sequence[str], marks: Counter[int]) -> tuple[dict[str, float], float]:
    """The y of each lane and the end of the last one; a lane with many marks gets room for two rows of labels."""
    row_y, y = {}, TOP
    for index, lane in enumerate(rows):
        height = BUSY_LANE_HEIGHT if marks[index] > 3 else LANE_HEIGHT
        row_y[lane] = y + height / 2
        y += height
    return row_y, y


def noteworthy(moments: Sequence[Moment], number: int) -> list[Moment]:
    """The first, the last, and in between those of weight 2 and more and those recorded apart from their occurrence: by
    weight, then by that distance, then the latest. In order of version."""
    worthy = [moment for moment in moments[1:-1] if moment.weight >= 2 or moment.is_apart]
    ranked = sorted(worthy, key=lambda moment: (moment.weight, abs(moment.delay), moment.version), reverse=True)
    chosen = [moments[0], moments[-1], *ranked[: number - 2]]
    return sorted({moment.version: moment for moment in chosen}.values(), key=lambda moment: moment.version)


def lane_index(moment: Moment, rows: Sequence[str]) -> int:
    """Which lane a moment is in; the last one if its own is not shown."""
    return rows.index(moment.lane) if moment.lane in rows else len(rows) - 1


def _points(moments: Sequence[Moment]) -> list[_Point]:
    points = {(moment.recorded_at, moment.version) for moment in moments}
    points |= {(moment.occurred_at, moment.version) for moment in moments if moment.is_apart}
    return [_Point(at, version) for at, version in sorted(points)]


def _spread(points: Sequence[_Point], shown: set[int], left: float, right: float) -> list[_Point]:
    """Give every point its own x. A longer pause gets more room, but by its logarithm: quiet stretches are shortened.

    Args:
        shown: versions that are shown one by one among many that are not; they get room for their marks.
    """
    pauses = [(later.at - earlier.at).total_seconds() for earlier, later in pairwise(points)]
    fixed = min(SHOWN_STEP, 0.6 * (right - left) / len(shown)) if shown else 0.0
    fixed_steps = [fixed if later.version in shown else 0.0 for later in points[1:]]
    steps = [0.0 if step else 1 + 0.55 * math.log10(1 + pause / 60) for pause, step in zip(pauses, fixed_steps)]
    unit = min(70.0, (right - left - sum(fixed_steps)) / sum(steps)) if sum(steps) else 0.0
    placed = [_Point(points[0].at, points[0].version, left)]
    for point, step, fixed_step in zip(points[1:], steps, fixed_steps):
        placed.append(_Point(point.at, point.version, placed[-1].x + step * unit + fixed_step))
    return placed


def _place_ticks(scene: Scene, points: Sequence[_Point], bottom: float) -> None:
    """Dates where a stretch of activity begins, the longest pauses first, with the length of the pause."""
    free = Scene(WIDTH, scene.height)
    ticks: dict[_Point, list[Label]] = {}
    pauses = sorted(pairwise(points), key=lambda pair: pair[1].at - pair[0].at, reverse=True)
    for earlier, point in [(None, points[0]), *pauses]:
        if earlier is not None and point.at - earlier.at < QUIET:
            break
        labels = _tick(point, earlier, bottom)
        if all(free.is_free(label, 0, 0, WIDTH, scene.height) for label in labels):
            free.labels += labels
            ticks[point] = labels
            if earlier is not None:
                scene.lines.append(Line(point.x - 10, TOP - 8, point.x - 10, bottom + 6, dotted=True))
    scene.labels += [label for labels in ticks.values() for label in labels]


def _tick(point: _Point, earlier: _Point | None, bottom: float) -> list[Label]:
    text = f"{point.at:%-d %b %Y %H:%M}" if earlier is None else f"{point.at:%-d %b %H:%M}"
    if earlier is not None and earlier.at.year != point.at.year:
        text = f"{point.at:%-d %b %Y}"
    later = f"{in_words(point.at - earlier.at)} later" if earlier is not None else ""
    x = min(point.x - 6, WIDTH - max(text_width(text), text_width(later)))
    return [Label(x, bottom + 16, text), *([Label(x, bottom + 32, later, tone="soft")] if later else [])]


def _place_bars(
    scene: Scene,
    moments: Sequence[Moment],
    x_at: dict[tuple[datetime, int], float],
    row_y: dict[str, float],
    rows: Sequence[str],
) -> None:
    counts = Counter(
        (lane_index(moment, rows), int(x_at[moment.recorded_at, moment.version] // BAR_WIDTH)) for moment in moments
    )
    scene.tallest_bar = most = max(counts.values())
    for (lane, slot), count in counts.items():
        height = max(2.0, BAR_HEIGHT * count / most)
        scene.bars.append(Bar(slot * BAR_WIDTH + 1, row_y[rows[lane]] - height, BAR_WIDTH - 2, height, lane))


def _place_marks(
    scene: Scene, moment: Moment, x_at: dict[tuple[datetime, int], float], row_y: dict[str, float], rows: Sequence[str]
) -> None:
    lane = lane_index(moment, rows)
    y = row_y[rows[lane]]
    recorded_x = x_at[moment.recorded_at, moment.version]
    scene.marks.append(Mark(recorded_x, y, lane, True, moment.version))
    if moment.is_apart:
        occurred_x = x_at[moment.occurred_at, moment.version]
        scene.marks.append(Mark(occurred_x, y, lane, False, moment.version))
        gap = math.copysign(MARK_RADIUS + 1, recorded_x - occurred_x)
        scene.lines.append(Line(occurred_x + gap, y, recorded_x - gap, y, lane))


def _place_label(scene: Scene, moment: Moment, told_later: bool, left: float) -> None:
    marks = {mark.filled: mark for mark in scene.marks if mark.version == moment.version}
    number, whole = str(moment.version), f"{moment.version} {moment.label}"
    if not moment.is_apart:
        _try(scene, marks[True], [whole, number], left)
    elif told_later:
        _try(scene, marks[False], [whole, number], left)
        _try(scene, marks[True], [number], left)
    else:
        _try(scene, marks[False], [f"{number} occurred {moment.occurred_at:%H:%M}", number], left)
        _try(scene, marks[True], [f"{whole}, recorded {moment.recorded_at:%H:%M}", whole, number], left)


def _try(scene: Scene, mark: Mark, texts: Sequence[str], left: float) -> None:
    """Put the first of the texts that finds a free place; none if none does."""
    for text in texts:
        for label, leader in _candidates(mark, shortened(text, MAX_LABEL)):
            blocked = leader is not None and any(leader.box.overlaps(box) for box in scene.obstacles())
            if not blocked and scene.is_free(label, left - 16, 0, WIDTH, scene.height - AXIS_HEIGHT + 4):
                scene.labels.append(label)
                if leader is not None:
                    scene.lines.append(leader)
                return


def _candidates(mark: Mark, text: str) -> Iterator[tuple[Label, Line | None]]:
    """Places for a label: close above and below first, then beside, then further off with a line that leads there."""
    x, y, version = mark.x, mark.y, mark.version
    for dy in (-FONT_SIZE * 1.3, FONT_SIZE * 1.35):
        yield Label(x - MARK_RADIUS, y + dy, text, "start", version=version), None
    for dy in (-FONT_SIZE * 1.3, FONT_SIZE * 1.35):
        yield Label(x, y + dy, text, "middle", version=version), None
        yield Label(x + MARK_RADIUS, y + dy, text, "end", version=version), None
    yield Label(x + MARK_RADIUS + 4, y, text, "start", version=version), None
    yield Label(x - MARK_RADIUS - 4, y, text, "end", version=version), None
    for direction in (-1, 1):
        far = y + direction * FONT_SIZE * 2.6
        leader = Line(x, y + direction * (MARK_RADIUS + 2), x, far - direction * FONT_SIZE * 0.7)
        yield Label(x - 3, far, text, "start", version=version), leader
        yield Label(x, far, text, "middle", version=version), leader
        yield Label(x + 3, far, text, "end", version=version), leader
