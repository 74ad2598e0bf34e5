"""What the reports of measurements conclude: reached, missed, or not measured, and never better than the figures."""

from __future__ import annotations

import pytest

from eventlib.bench.order_mix import OrderMix
from eventlib.errors import ReportError
from eventlib.reporting.measured import steadiness
from eventlib.reporting.replay_benchmark import ReplayReport, measure_replay, replay_checks, replay_title
from eventlib.reporting.snapshot_interval import IntervalReport, interval_checks, interval_title, measure_intervals
from eventlib.reporting.verdict import VERDICT_MIME, Outcome
from tests.measurements import candidate, interval_study, replay_benchmark

GOOD, BAD, OPEN = Outcome.VERIFIED, Outcome.FAILED, Outcome.NOT_COVERED


@pytest.mark.parametrize(
    ("measured", "outcomes", "title"),
    [
        ({}, (GOOD, GOOD, GOOD), "Loads reach their aims"),
        ({"replay_ratio": 1.7}, (BAD, GOOD, GOOD), "Loads miss the aim for replay"),
        ({"tailed_ms": 0.5}, (GOOD, BAD, GOOD), "Loads miss the aim for snapshot"),
        ({"snapshot_ms": {50: 0.2, 10_000: 0.3}}, (GOOD, GOOD, BAD), "Loads miss the aim for flat"),
        ({"lengths": (50, 200)}, (GOOD, GOOD, OPEN), "Loads reach their aims, but flat was not measured"),
    ],
)
def test_each_aim_of_loads_is_a_check(measured: dict[str, object], outcomes: tuple[Outcome, ...], title: str) -> None:
    checks = replay_checks(replay_benchmark(**measured))  # type: ignore[arg-type]

    assert tuple(check.outcome for check in checks) == outcomes
    assert replay_title(checks) == title


def test_an_order_that_misses_the_aim_is_named() -> None:
    (replay, _, _) = replay_checks(replay_benchmark(replay_ratio=1.7))
    assert "More: 50 events (1.70) and 10,000 events (1.70)." in replay.finding


@pytest.mark.parametrize(
    ("means", "outcomes", "title"),
    [
        ({25: [0.31] * 5, 50: [0.3] * 5}, (GOOD, GOOD), "Snapshots every 50 events, the default, are a good choice"),
        ({25: [0.2] * 5, 50: [0.3] * 5}, (BAD, GOOD), "cost more than need be; recommended are snapshots: every 25"),
        ({25: [0.2] * 5, 100: [0.3] * 5}, (OPEN, GOOD), "the default was not compared"),
        (
            {25: [0.3, 0.5, 0.31, 0.52, 0.3], 50: [0.5, 0.31, 0.52, 0.3, 0.5]},
            (BAD, BAD),
            "Too few rounds to recommend",
        ),
    ],
)
def test_the_default_interval_and_the_certainty_are_checks(
    means: dict[int, list[float]], outcomes: tuple[Outcome, ...], title: str
) -> None:
    study = interval_study([candidate(every, of_rounds) for every, of_rounds in means.items()])
    checks = interval_checks(study)

    assert tuple(check.outcome for check in checks) == outcomes
    assert title in interval_title(study, checks)


def test_noise_is_told() -> None:
    assert "a span of 10 % of its median" in steadiness(replay_benchmark())


def test_the_pieces_carry_one_verdict_and_say_how_to_measure_again() -> None:
    report = ReplayReport(replay_benchmark(), 3)
    handed_over = report.verdict().outputs[VERDICT_MIME]

    assert handed_over["evidence"]["repeat"] == {"lengths": "50,10000", "rounds": "3"}
    assert (
        handed_over["evidence"]["digest"] is None
        and "PostgreSQL 18.0" in handed_over["evidence"]["measured_on"]["Server"]
    )
    for piece in (report.plot(), report.table(), report.limits()):
        assert piece.text and VERDICT_MIME not in piece.outputs
    assert list(report.frame().index) == [0, 1, 2]

    study = IntervalReport(interval_study([candidate(50, [0.3] * 3), candidate(None, [0.5] * 3)]), 3, 10, OrderMix())
    assert study.verdict().outputs[VERDICT_MIME]["evidence"]["repeat"]["every"] == "50,none"
    assert len(study.frame()) == 2 * 3 * 10
    assert "30 % of the commands" in study.limits().text


@pytest.mark.parametrize("wrong", [{"lengths": "x"}, {"rounds": 0}])
def test_wrong_parameters_of_loads_are_refused_before_anything_is_measured(wrong: dict[str, object]) -> None:
    with pytest.raises(ReportError):
        measure_replay(**{"lengths": "50", "rounds": 1, **wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [{"every": "often"}, {"rounds": 0}, {"moments": 0}, {"orders": 0}, {"hot_share": 2.0}, {"storage_price": -1.0}],
)
def test_wrong_parameters_of_intervals_are_refused_before_anything_is_measured(wrong: dict[str, object]) -> None:
    good = {"every": "50", "rounds": 1, "moments": 1, "orders": 10, "hot_share": 0.0, "longest": 50, "seed": 1}
    with pytest.raises(ReportError):
        measure_intervals(**{**good, "storage_price": 0.0, **wrong})  # type: ignore[arg-type]
