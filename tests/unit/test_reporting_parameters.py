"""Parameters are read from the notebook and checked before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from eventlib.errors import ReportError
from eventlib.reporting.catalogue import find_report, list_reports
from eventlib.reporting.parameters import Parameter, Value, checked_values, declared_parameters

SOURCE = """
order_id: str = ""  # required: the UUID of the order
as_of: str = ""  # up to when # or so
rounds: int = 3
share: float = 0.5
quiet: bool = False
"""


def declared(*sources: str) -> list[Parameter]:
    cells = [new_code_cell(source, metadata={"tags": ["parameters"]}) for source in sources]  # type: ignore[no-untyped-call]
    return declared_parameters(new_notebook(cells=cells), "probe")  # type: ignore[no-untyped-call]


def values(**given: str) -> dict[str, Value]:
    return checked_values(declared(SOURCE), {"order_id": "x", **given}, "probe")


def test_what_a_cell_declares() -> None:
    assert declared(SOURCE) == [
        Parameter("order_id", str, "", True, "the UUID of the order"),
        Parameter("as_of", str, "", False, "up to when # or so"),
        Parameter("rounds", int, 3, False, ""),
        Parameter("share", float, 0.5, False, ""),
        Parameter("quiet", bool, False, False, ""),
    ]
    assert declared() == []


@pytest.mark.parametrize(
    "line", ["x = 1", "x: int", "x: int = 1.5", "x: bool = 1", "x: list = []", "print(1)", "x: int = 1 + 1"]
)
def test_a_line_that_cannot_be_checked_is_refused(line: str) -> None:
    with pytest.raises(ReportError, match="write `name: type = default"):
        declared(line)


def test_one_cell_is_enough() -> None:
    with pytest.raises(ReportError, match="2 cells tagged"):
        declared("x: int = 1", "y: int = 1")


def test_values_come_in_their_types() -> None:
    given = values(as_of="007", rounds=" -7", share="1e-3", quiet="TRUE")
    assert given == {"order_id": "x", "as_of": "007", "rounds": -7, "share": 0.001, "quiet": True}
    assert [type(value) for value in given.values()] == [str, str, int, float, bool]


@pytest.mark.parametrize(
    "given",
    [
        {"rounds": "7.0"},
        {"rounds": "1_0"},
        {"rounds": "٣"},
        {"rounds": ""},
        {"share": "nan"},
        {"share": "inf"},
        {"quiet": "1"},
    ],
)
def test_values_of_another_type_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(ReportError, match="is of type"):
        values(**given)


def test_unknown_and_missing_names() -> None:
    with pytest.raises(ReportError, match="no parameter orderid: did you mean order_id"):
        checked_values(declared(SOURCE), {"orderid": "x"}, "probe")
    with pytest.raises(ReportError, match="no parameter x: it has order_id, as_of"):
        values(x="1")
    with pytest.raises(ReportError, match="needs order_id, the UUID of the order: give -p order_id=…"):
        checked_values(declared(SOURCE), {}, "probe")


def test_the_shipped_reports_can_all_be_listed() -> None:
    reports = {report.name: report for report in list_reports()}
    report = reports["audit_reconstruction"]
    assert report.title == "Audit reconstruction" and report.description.startswith("One order, told from its events")
    assert [(parameter.name, parameter.required) for parameter in report.parameters] == [
        ("order_id", True),
        ("as_of", False),
    ]


def test_a_name_is_no_path(tmp_path: Path) -> None:
    for name in ("../audit_reconstruction", "audit_reconstruction.ipynb", "", "/etc/passwd"):
        with pytest.raises(ReportError, match="there is no report"):
            find_report(name)


def test_a_file_that_is_no_notebook(tmp_path: Path) -> None:
    (tmp_path / "broken.ipynb").write_text("{")
    with pytest.raises(ReportError, match="cannot be read as a notebook"):
        find_report("broken", tmp_path)
