"""The timeline for phones: time runs down, one row a moment, long stretches of ordinary events folded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from eventlib.reporting.timeline.moments import Moment, lanes
from eventlib.reporting.timeline.scene import Bar, Label, Line, Mark, Scene, shortened, text_width
from eventlib.reporting.timeline.wide import FOLDED_ABOVE, SHOWN_WHEN_FOLDED, lane_index, noteworthy

WIDTH = 358.0
ROW = 24.0
LANE_WIDTH = 15.0
FIRST_LANE = 9.0


@dataclass(frozen=True)
class _Row:
    """A line of the timeline: a moment as recorded or as occurred, or a number of folded ones (`moment` is None)."""

    at: datetime
    version: int
    moment: Moment | None
    occurred: bool = False
    folded: int = 0


def narrow_scene(moments: Sequence[Moment]) -> Scene:
    """Place a history of one event or more."""
    names = lanes(moments)
    scene = Scene(WIDTH, 0)
    y = _place_legend(scene, names)
    text_x = FIRST_LANE + LANE_WIDTH * len(names) + 4
    top = y
    day: date | None = None
    y_at: dict[tuple[int, bool], float] = {}
    folded = _rows(moments)
    most = max((row.folded for row in folded), default=0)
    for row in folded:
        if row.at.date() != day:
            day = row.at.date()
            scene.labels.append(Label(text_x, y + 6, f"{day:%-d %B %Y}", tone="strong"))
            y += ROW
        if row.moment is None:
            _place_folded(scene, row, y, text_x, most)
        else:
            _place_moment(scene, row, row.moment, y, text_x, lane_index(row.moment, names))
            y_at[row.version, row.occurred] = y
        y += ROW
    for index in range(len(names)):
        x = FIRST_LANE + LANE_WIDTH * index
        scene.lines.append(Line(x, top, x, y - ROW / 2))
    for moment in moments:
        if (moment.version, True) in y_at and (moment.version, False) in y_at:
            x = FIRST_LANE + LANE_WIDTH * lane_index(moment, names)
            first, second = sorted((y_at[moment.version, True], y_at[moment.version, False]))
            scene.lines.append(Line(x, first + 7, x, second - 7, lane_index(moment, names)))
    scene.height = y
    return scene


def _rows(moments: Sequence[Moment]) -> list[_Row]:
    shown = {
        moment.version
        for moment in (noteworthy(moments, SHOWN_WHEN_FOLDED) if len(moments) > FOLDED_ABOVE else moments)
    }
    rows: list[_Row] = []
    pending: list[Moment] = []
    for moment in [*moments, None]:
        if moment is not None and moment.version not in shown:
            pending.append(moment)
            continue
        if len(pending) > 2:
            rows.append(_Row(pending[0].recorded_at, pending[0].version, None, folded=len(pending)))
        else:
            rows += [row for one in pending for row in _rows_of(one)]
        pending = []
        if moment is not None:
            rows += _rows_of(moment)
    return sorted(rows, key=lambda row: (row.at, row.version, not row.occurred))


def _rows_of(moment: Moment) -> list[_Row]:
    recorded = _Row(moment.recorded_at, moment.version, moment)
    if not moment.is_apart:
        return [recorded]
    return [_Row(moment.occurred_at, moment.version, moment, occurred=True), recorded]


def _place_legend(scene: Scene, names: Sequence[str]) -> float:
    x, y = FIRST_LANE, 10.0
    for lane, name in enumerate(names):
        text = shortened(name, WIDTH - 40)
        width = 12 + text_width(text) + 16
        if x > FIRST_LANE and x + width > WIDTH:
            x, y = FIRST_LANE, y + 22
        scene.marks.append(Mark(x, y, lane))
        scene.labels.append(Label(x + 12, y, text, tone="soft"))
        x += width
    return y + 26


def _place_moment(scene: Scene, row: _Row, moment: Moment, y: float, text_x: float, lane: int) -> None:
    scene.marks.append(Mark(FIRST_LANE + LANE_WIDTH * lane, y, lane, not row.occurred, row.version))
    what = f"{moment.label} occurred" if row.occurred else moment.label + (", recorded" if moment.is_apart else "")
    time = f"{row.at:%H:%M}"
    room = WIDTH - text_x - text_width(time) - 10
    scene.labels.append(Label(text_x, y, shortened(f"{row.version} {what}", room), version=row.version))
    scene.labels.append(Label(WIDTH, y, time, "end", "soft"))


def _place_folded(scene: Scene, row: _Row, y: float, text_x: float, most: int) -> None:
    text = f"{row.folded:,} more event" + ("s" if row.folded > 1 else "")
    scene.labels.append(Label(text_x, y, text, tone="soft"))
    start = text_x + text_width(text) + 8
    scene.bars.append(Bar(start, y - 4, max(2.0, (WIDTH - start) * row.folded / most), 8, -1))
