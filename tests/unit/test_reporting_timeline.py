"""The timeline says what is true, covers nothing with a label, and never reaches out of the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlib.reporting.timeline import Moment, draw, finding, lane_of, narration, narrow_scene, wide_scene
from eventlib.reporting.timeline.moments import MAX_LANES, OTHERS, lanes
from eventlib.reporting.timeline.scene import Scene

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
SCENES: list[Callable[[Sequence[Moment]], Scene]] = [wide_scene, narrow_scene]


def moment(
    version: int, at: float, late: float = 0, lane: str = "customer", label: str = "placed", weight: int = 0
) -> Moment:
    """Recorded so many seconds after noon, so many seconds late."""
    recorded = NOON + timedelta(seconds=at)
    return Moment(version, recorded, recorded - timedelta(seconds=late), lane, label, weight)


@st.composite
def histories(draw_: st.DrawFn) -> list[Moment]:
    number = draw_(st.integers(1, 70))
    at, told = 0.0, []
    for version in range(1, number + 1):
        at += draw_(st.sampled_from([-1, 0, 0.2, 5, 70, 4000, 90_000, 10_000_000]))
        late = draw_(st.sampled_from([0, 0, 0, 30, -90, 33_000, 300_000_000]))
        lane = draw_(
            st.sampled_from(
                ["customer", "agent", "a very long name of a system that never ends", "配送業者", *"abcdefgh"]
            )
        )
        label = draw_(st.sampled_from(["placed", "LAMP-7 added", "x" * 200, "荷物が届きました", "$x^2$ & <b>"]))
        told.append(moment(version, at, late, lane, label, draw_(st.integers(0, 2))))
    return told


@pytest.mark.parametrize("scene_of", SCENES)
@settings(max_examples=25, deadline=None)
@given(told=histories())
def test_labels_cover_nothing_and_stay_inside(
    scene_of: Callable[[Sequence[Moment]], Scene], told: list[Moment]
) -> None:
    scene = scene_of(told)

    for one, other in combinations(scene.labels, 2):
        assert not one.box.overlaps(other.box), (one, other)
    for label in scene.labels:
        assert not any(label.box.overlaps(mark.box) for mark in scene.marks), label
        assert label.box.left >= -0.5 and label.box.right <= scene.width + 0.5
    for mark in scene.marks:
        assert 0 <= mark.x <= scene.width and 0 <= mark.y <= scene.height
    assert scene.marks and scene.height < 4000


@pytest.mark.parametrize("scene_of", SCENES)
def test_every_event_of_a_short_history_has_its_mark(scene_of: Callable[[Sequence[Moment]], Scene]) -> None:
    told = [moment(version, version * 100, late=7200 if version == 9 else 0) for version in range(1, 21)]
    marks = [mark for mark in scene_of(told).marks if mark.version is not None]
    assert sorted(mark.version or 0 for mark in marks if mark.filled) == list(range(1, 21))
    assert [mark.version for mark in marks if not mark.filled] == [9]


def test_a_long_history_keeps_its_turning_points_and_counts_the_others() -> None:
    told = [moment(version, version, weight=2 if version in (500, 1500) else 0) for version in range(1, 2001)]
    wide, narrow = wide_scene(told), narrow_scene(told)
    for scene in (wide, narrow):
        assert {mark.version for mark in scene.marks} - {None} == {1, 500, 1500, 2000}
    assert wide.tallest_bar >= 1996 / len(wide.bars)
    counted = [re.match(r"([\d,]+) more events", label.text) for label in narrow.labels]
    assert sum(int(match[1].replace(",", "")) for match in counted if match) == 1996


def test_versions_run_to_the_right_when_time_does() -> None:
    told = [moment(version, version**3) for version in range(1, 30)]
    xs = [mark.x for mark in wide_scene(told).marks]
    assert xs == sorted(xs) and len(set(xs)) == len(xs)


@pytest.mark.parametrize(
    ("told", "title"),
    [
        ([moment(1, 0)], "The event was recorded within a minute of happening"),
        ([moment(1, 0), moment(2, 1, 60)], "All 2 events were recorded within a minute of happening"),
        (
            [moment(1, 0), moment(2, 9, 33_120, label="delivered")],
            "Event 2 (delivered) was recorded 9 h 12 min after it happened; everything else within a minute",
        ),
        (
            [moment(1, 0), moment(2, 9, -120, label="shipped")],
            "Event 2 (shipped) was recorded 2 min before it happened; everything else within a minute",
        ),
        (
            [moment(1, 0), moment(2, 9, 120), moment(3, 9, 240, label="shipped")],
            "2 of 3 events were recorded more than a minute from when they happened; "
            "event 3 (shipped) 4 min after it happened",
        ),
        (
            [moment(1, 0, 86_400), moment(2, 9, 120)],
            "All 2 events were recorded more than a minute after they happened, up to 1 d",
        ),
    ],
)
def test_the_title_states_the_finding(told: list[Moment], title: str) -> None:
    assert finding(told) == title


def test_lanes_are_kinds_of_actors() -> None:
    names = {
        "customer 7f3c": "customer",
        "warehouse 2": "warehouse",
        "payment service": "payment service",
        "carrier": "carrier",
    }
    assert {name: lane_of(name) for name in names} == names
    many = [moment(version, version, lane=f"kind {'x' * version}") for version in range(1, 20)]
    assert len(lanes(many)) == MAX_LANES and lanes(many)[-1] == OTHERS


@pytest.mark.parametrize("scene_of", SCENES)
def test_the_drawing_is_one_named_image_with_real_text(scene_of: Callable[[Sequence[Moment]], Scene]) -> None:
    told = [moment(1, 0, label='<b> & "quoted" $x^2$'), moment(2, 50, 7200, lane="carrier", label="delivered")]
    svg = draw(scene_of(told), "plot", narration(told), {2: 'a <title> & "more"'})
    root = ElementTree.fromstring(svg)

    assert root.get("role") == "img" and "carrier" in str(root.get("aria-label"))
    text = " ".join("".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text"))
    assert '<b> & "quoted" $x^2$' in text and "delivered" in text
    assert "<style" not in svg and "<metadata" not in svg and "xlink" not in svg and "font-family" not in svg
    assert not re.search(r"#0[0-9]0[19]0[19]", svg), "a placeholder colour was left"
    links = list(root.iter("{http://www.w3.org/2000/svg}a"))
    assert len(links) == 2 and all(link.attrib == {"href": "#event-2", "tabindex": "-1"} for link in links)
    assert {link.findtext("{http://www.w3.org/2000/svg}title") for link in links} == {'a <title> & "more"'}
    assert all(str(element.get("id")).startswith("plot-") for element in root.iter() if element.get("id"))
