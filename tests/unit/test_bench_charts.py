"""A benchmark's plot states what the figures say, names what it shows where it shows it, and stands alone."""

from __future__ import annotations

import re
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlib.bench.append import INSERT_LOOP, PGBENCH, STATEMENT_LOOP
from eventlib.bench.measurement import Benchmark, Floor, Measurement, at_least
from eventlib.reporting.charts.append import append_chart
from eventlib.reporting.charts.chart import NARROW, WIDE, Chart
from eventlib.reporting.charts.interval import interval_chart
from eventlib.reporting.charts.lines import spread
from eventlib.reporting.charts.replay import replay_chart
from tests.measurements import SERVER, candidate, interval_study, replay_benchmark, rounds


def append_benchmark(ratio: float) -> Benchmark:
    results = [
        Measurement(
            case,
            "events/s",
            rounds(1000 * ratio),
            [
                Floor(STATEMENT_LOOP, rounds(1000)),
                Floor(INSERT_LOOP, rounds(1300)),
                Floor(PGBENCH, missing="not there"),
            ],
            [at_least(0.9, STATEMENT_LOOP)],
        )
        for case in ("1 writer, single events", "8 writers, batches of 10", "a < b & c")
    ]
    return Benchmark("append", "Made up.", results, SERVER)


def charts() -> list[Chart]:
    intervals = [candidate(10, [0.3] * 3, taken_per_event=0.1), candidate(50, [0.3] * 3), candidate(None, [2.0] * 3)]
    return [
        append_chart(append_benchmark(0.95)),
        replay_chart(replay_benchmark((50, 200, 1000, 10_000))),
        replay_chart(replay_benchmark((50,))),
        interval_chart(interval_study(intervals)),
    ]


@pytest.mark.parametrize("chart", charts(), ids=lambda chart: chart.name)
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_labels_cover_no_other_label_and_stay_inside(chart: Chart, width: float) -> None:
    canvas = chart.canvas(width)

    assert len(canvas.labels) > 5
    for one, other in combinations(canvas.labels, 2):
        assert not one.box.overlaps(other.box), (one.text, other.text)
    for label in canvas.labels:
        assert label.box.left >= -1 and label.box.right <= canvas.width + 1, label
        assert label.box.top >= -1 and label.box.bottom <= canvas.height + 1, label


@pytest.mark.parametrize("chart", charts(), ids=lambda chart: chart.name)
def test_a_chart_names_its_units_and_is_told_in_words(chart: Chart) -> None:
    texts = " ".join(label.text for label in chart.canvas(WIDE).labels)
    assert re.search(r"\d (ms|events/s)\b", texts)
    for drawn in (chart.wide, chart.narrow):
        label = ElementTree.fromstring(drawn).get("aria-label")
        assert label and re.search(r"\d", label) and len(label) > 50


@pytest.mark.parametrize("chart", charts(), ids=lambda chart: chart.name)
def test_a_file_stands_alone_by_day_and_by_night(chart: Chart) -> None:
    root = ElementTree.fromstring(chart.file)

    assert root.get("role") == "img" and chart.title in str(root.get("aria-label"))
    used = set(re.findall(r"var\((--[a-z0-9-]+)\)", chart.file))
    by_day, by_night = chart.file.split("@media (prefers-color-scheme: dark)")
    assert used and all(f"{name}: #" in by_day and f"{name}: #" in by_night for name in used)
    assert set(re.findall(r"https?://[^\s\"'<>]+", chart.file)) == {"http://www.w3.org/2000/svg"}
    ids = re.findall(r'\bid="([^"]+)"', chart.file)
    assert len(ids) == len(set(ids))


def test_the_title_of_appends_says_how_near_they_come_and_how_many_aims_were_reached() -> None:
    assert append_chart(append_benchmark(0.95)).title == (
        "The store appends at 95 % of the rate of a bare loop that executes the same statement; 3 of 3 aims reached"
    )
    assert "at 72 % of the rate" in append_chart(append_benchmark(0.72)).title
    assert append_chart(append_benchmark(0.72)).title.endswith("0 of 3 aims reached")


def test_a_floor_that_was_not_measured_is_named_as_that() -> None:
    texts = [label.text for label in append_chart(append_benchmark(1.0)).canvas(WIDE).labels]
    assert texts.count("not measured") == 3


def test_the_title_of_loads_has_the_figures_of_the_longest_order() -> None:
    benchmark = replay_benchmark((50, 200), replay_ratio=1.5, snapshot_ms={50: 0.2, 200: 0.25})
    assert replay_chart(benchmark).title == (
        "With a snapshot, an order of 200 events loads in 0.250 ms; replaying it takes 3.00 ms, "
        "1.50 times what libpq takes to fetch its whole rows"
    )


@pytest.mark.parametrize(
    ("means", "title"),
    [
        (
            ([0.5] * 3, [0.3] * 3),
            "A snapshot every 50 events costs least: 0.300 ms a command; no other interval comes within 5 % of it",
        ),
        (
            ([0.31] * 3, [0.3] * 3),
            "A snapshot every 50 events costs least: 0.300 ms a command; every 25 is within 5 % of it",
        ),
    ],
)
def test_the_title_of_intervals_recommends_one_and_names_its_equals(means: tuple[list[float], ...], title: str) -> None:
    few, many = means
    assert interval_chart(interval_study([candidate(25, few), candidate(50, many)])).title == title


@given(st.lists(st.floats(0, 300), min_size=1, max_size=12))
def test_names_beside_lines_keep_their_order_and_their_distance(wanted: list[float]) -> None:
    placed = spread(sorted(wanted), 20, 0, 300)
    for above, below in pairwise(placed):
        assert below - above >= 20 - 1e-6
    assert placed[0] >= -1e-6
    if len(wanted) <= 15:
        assert placed[-1] <= 300 + 1e-6
