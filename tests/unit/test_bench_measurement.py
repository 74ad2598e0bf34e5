"""A benchmark says how its value compares, whether its aim was reached, and what was not measured."""

from __future__ import annotations

import json

import msgspec
import pytest

from eventlib.audit.verdict import Outcome
from eventlib.bench.measurement import Benchmark, Floor, Measurement, at_least, at_most, interleaved, quartiles
from eventlib.bench.parameters import parsed_intervals, parsed_lengths
from eventlib.bench.pgbench import find_pgbench
from eventlib.bench.table import lines
from eventlib.errors import ReportError

LOOP = Floor("a bare loop", [100.0, 120.0, 80.0])
MISSING = Floor("pgbench", missing="it is not there")


def rate(*rounds: float) -> Measurement:
    return Measurement("appends", "events/s", rounds, [LOOP, MISSING], [at_least(0.9, LOOP.name)])


def test_a_value_is_the_median_and_a_ratio_is_of_medians() -> None:
    result = rate(95, 10, 200)

    assert result.value == 95 and LOOP.value == 100
    assert result.ratio(LOOP) == pytest.approx(0.95)
    assert quartiles([3.0]) == (3.0, 3.0)


def test_an_aim_for_a_rate_is_a_lower_limit_and_one_for_a_duration_an_upper_one() -> None:
    assert rate(90).outcome(at_least(0.9, LOOP.name)) is Outcome.VERIFIED
    assert rate(89).outcome(at_least(0.9, LOOP.name)) is Outcome.FAILED
    load = Measurement("loads", "ms", [0.45], [Floor("libpq", [0.3])])
    assert load.outcome(at_most(0.45)) is Outcome.VERIFIED
    assert load.outcome(at_most(0.44)) is Outcome.FAILED
    assert load.outcome(at_most(1.6, "libpq")) is Outcome.VERIFIED
    assert load.outcome(at_most(1.4, "libpq")) is Outcome.FAILED


def test_what_was_not_measured_is_neither_reached_nor_missed() -> None:
    result = Measurement("appends", "events/s", [1.0], [MISSING], [at_least(0.1, MISSING.name)])

    assert result.outcome(result.aims[0]) is Outcome.NOT_COVERED
    assert result.document()["floors"] == [
        {"name": "pgbench", "value": None, "ratio": None, "missing": "it is not there"}
    ]
    (line,) = lines(Benchmark("append", "", [result], {}))
    assert "not measured: it is not there" in line.cells and line.cells[-1] == "not measured"


def test_a_floor_without_rounds_and_without_a_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="there is a reason"):
        Floor("a bare loop")
    with pytest.raises(ValueError, match="no such floor"):
        Measurement("appends", "events/s", [1.0], [LOOP], [at_least(0.9, "another loop")])


def test_the_document_says_what_follows_from_the_rounds() -> None:
    document = json.loads(
        msgspec.json.encode(Benchmark("append", "How.", [rate(80, 81, 82)], {"fsync": "on"}).document())
    )

    (result,) = document["results"]
    assert result["value"] == 81 and result["rounds"] == [80, 81, 82]
    assert result["floors"][0]["ratio"] == pytest.approx(0.81)
    assert result["aims"] == [
        {"floor": LOOP.name, "limit": 0.9, "at_least": True, "actual": pytest.approx(0.81), "outcome": "failed"}
    ]
    assert document["machine"]["cores"] and document["server"] == {"fsync": "on"}


def test_the_table_has_a_line_for_everything_that_a_case_is_compared_with() -> None:
    load = Measurement("loads", "ms", [0.5], [Floor("libpq", [0.25]), Floor("short ones", [0.5])], [
        at_most(0.45), at_most(1.2, "short ones"),
    ])  # fmt: skip
    alone = Measurement("memory", "MiB", [3.0], aims=[at_most(8.0)])
    told = [line.cells for line in lines(Benchmark("replay", "", [rate(95), load, alone], {}))]

    assert told == [
        ("appends", "95.0 events/s", "95.0–95.0", "a bare loop", "100", "0.95", "≥ 0.9", "reached"),
        ("", "", "", "pgbench", "not measured: it is not there", "", "", ""),
        ("loads", "0.500 ms", "0.500–0.500", "libpq", "0.250", "2.00", "≤ 0.45 ms", "missed"),
        ("", "", "", "short ones", "0.500", "1.00", "≤ 1.2", "reached"),
        ("memory", "3.00 MiB", "3.00–3.00", "", "", "", "≤ 8 MiB", "reached"),
    ]


def test_rounds_are_interleaved_and_their_order_turns() -> None:
    order: list[str] = []

    def measure(name: str) -> float:
        order.append(name)
        return len(order)

    assert interleaved(2, lambda: measure("value"), lambda: measure("floor")) == [[1, 4], [2, 3]]
    assert order == ["value", "floor", "floor", "value"]


def test_where_there_is_no_pgbench_none_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_pgbench() is None


@pytest.mark.parametrize("text", ["", "a", "50;200", "0,50", "1.5", "999999999"])
def test_a_list_of_lengths_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ReportError, match="lengths"):
        parsed_lengths(text)


@pytest.mark.parametrize("text", ["", "never", "0,none", "-5"])
def test_a_list_of_intervals_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ReportError, match="intervals"):
        parsed_intervals(text)
