"""Whatever goes wrong in a notebook, its runner never takes it for a good one."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from eventlib.errors import ReportError
from eventlib.reporting.runner import PublishedRun, ReportFailed, run_report
from eventlib.reporting.verdict import Outcome
from eventlib.settings import Settings

VERDICT = """
from eventlib.reporting.verdict import Check, Evidence, Outcome, Verdict
from eventlib.reporting.verdict_box import verdict_box
evidence = Evidence("nothing", "now", 0, 0, "00", {})
"""
GOOD = VERDICT + "verdict_box(Verdict('Good', [Check('It', Outcome.VERIFIED, 'It is.')]), evidence)"

ANSWER = """
name: str = ""  # required: whom to greet
number: int = 1
flag: bool = False
"""


def publish(tmp_path: Path, *sources: str, parameters: str = "", timeout_s: int = 60, **given: str) -> PublishedRun:
    notebook = new_notebook(cells=[new_markdown_cell("# A probe\n\nFor the tests.")])  # type: ignore[no-untyped-call]
    if parameters:
        notebook.cells.append(new_code_cell(parameters, metadata={"tags": ["parameters"]}))  # type: ignore[no-untyped-call]
    notebook.cells += [new_code_cell(source) for source in sources]  # type: ignore[no-untyped-call]
    folder = tmp_path / "notebooks"
    folder.mkdir(exist_ok=True)
    nbformat.write(notebook, folder / "probe.ipynb")  # type: ignore[no-untyped-call]
    settings = Settings(reports_dir=tmp_path / "out", state_dir=tmp_path / "state", store_partitions=3)
    return run_report("probe", given, settings, notebooks=folder, cell_timeout_s=timeout_s)


def published_error(failed: pytest.ExceptionInfo[ReportFailed]) -> str:
    result = json.loads((failed.value.folder / "result.json").read_text())
    assert result["exit_code"] == 2 and result["outcome"] is None and result["verdict"] is None
    return str(result["error"])


def leftovers(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "out").rglob(".*") if path.name != ".gallery.lock"]


def test_a_notebook_that_runs_to_its_end_with_one_verdict(tmp_path: Path) -> None:
    run = publish(tmp_path, GOOD, "print('after')")

    assert run.verdict.outcome is Outcome.VERIFIED and run.exit_code == 0
    assert "after" in run.page.read_text()
    assert not leftovers(tmp_path)


def test_a_verdict_without_checks_is_not_good(tmp_path: Path) -> None:
    assert publish(tmp_path, VERDICT + "verdict_box(Verdict('Empty', []), evidence)").exit_code == 3


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (["1"], "no verdict"),
        ([GOOD, GOOD], "2 verdicts"),
        ([GOOD, "raise RuntimeError('late')"], "RuntimeError: late"),
        ([GOOD, "import sys; sys.exit(0)"], "SystemExit"),
        (["import sys; sys.exit(0)", GOOD], "SystemExit"),
        ([GOOD, "exit()"], "called for an exit"),
        ([GOOD, "quit()", "1"], "called for an exit|kernel died"),
        ([GOOD, "import os; os._exit(0)"], "the kernel died"),
        ([GOOD, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "1"], "the kernel died"),
        ([GOOD, "import os; os.kill(os.getpid(), 2); import time; time.sleep(5)"], "KeyboardInterrupt"),
        (
            [
                "from IPython.display import display\n"
                "display({'application/vnd.eventlib.verdict+json': {'verdict': 'good'}}, raw=True)"
            ],
            "verdict cannot be read",
        ),
        ([GOOD, "from eventlib.errors import ReportError\nraise ReportError('say only this')"], "^say only this$"),
        ([GOOD, "def"], "SyntaxError"),
    ],
)
def test_everything_else_is_an_error(tmp_path: Path, sources: list[str], message: str) -> None:
    with pytest.raises(ReportFailed) as failed:
        publish(tmp_path, *sources)

    assert re.search(message, published_error(failed))
    assert (failed.value.folder / "notebook.ipynb").exists()
    assert "Error" in (tmp_path / "out" / "index.html").read_text()
    assert not leftovers(tmp_path)


def test_a_cell_that_takes_too_long(tmp_path: Path) -> None:
    with pytest.raises(ReportFailed, match="took longer than 2 s") as failed:
        publish(tmp_path, GOOD, "import time; time.sleep(60)", timeout_s=2)
    assert published_error(failed)


def test_the_traceback_is_on_the_page(tmp_path: Path) -> None:
    with pytest.raises(ReportFailed) as failed:
        publish(tmp_path, "secret_name = 1\nsecret_name / 0")
    page = (failed.value.folder / "index.html").read_text()
    assert "ZeroDivisionError" in page and "secret_name / 0" in page and "\x1b" not in page


def test_a_message_that_is_written_for_the_reader_needs_no_traceback(tmp_path: Path) -> None:
    with pytest.raises(ReportFailed) as failed:
        publish(tmp_path, "from eventlib.errors import ReportError\nraise ReportError('say only this')")
    page = (failed.value.folder / "index.html").read_text()
    assert "Say only this" in page and "Traceback" not in page


def test_values_arrive_in_their_types(tmp_path: Path) -> None:
    check = "assert (name, number, flag) == ('0\"07\\'\\n\\\\ {x} ü', 7, True), (name, number, flag)"
    run = publish(tmp_path, check, GOOD, parameters=ANSWER, name="0\"07'\n\\ {x} ü", number="7", flag="true")
    assert run.exit_code == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "needs name, whom to greet: give -p name=…"),
        ({"name": " "}, "needs name"),
        ({"name": "x", "nummer": "1"}, "no parameter nummer: did you mean number"),
        ({"name": "x", "number": "seven"}, "number of report probe is of type int"),
        ({"name": "x", "number": "1_000"}, "of type int"),
        ({"name": "x", "flag": "yes"}, "of type bool"),
    ],
)
def test_bad_parameters_are_refused_before_a_kernel_starts(
    tmp_path: Path, given: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_kernel(*_: object, **__: object) -> None:
        raise AssertionError("a kernel was started")

    monkeypatch.setattr("eventlib.reporting.runner.execute", no_kernel)
    with pytest.raises(ReportError, match=message) as refused:
        publish(tmp_path, GOOD, parameters=ANSWER, timeout_s=60, **given)
    assert not isinstance(refused.value, ReportFailed)
    assert not (tmp_path / "out").exists()


def test_the_kernel_is_this_python_with_these_settings(tmp_path: Path) -> None:
    check = (
        "import sys\nfrom eventlib.settings import Settings\nsettings = Settings.load()\n"
        f"assert sys.executable == {sys.executable!r}\n"
        f"assert str(settings.state_dir) == {str(tmp_path / 'state')!r} and settings.store_partitions == 3"
    )
    assert publish(tmp_path, check, GOOD).exit_code == 0


def test_progress_is_told_cell_by_cell(tmp_path: Path) -> None:
    publish(tmp_path, GOOD)
    told: list[tuple[int, int]] = []
    settings = Settings(reports_dir=tmp_path / "out")
    run_report(
        "probe", {}, settings, notebooks=tmp_path / "notebooks", progress=lambda done, total: told.append((done, total))
    )
    assert told == [(1, 1)]


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(ReportError, match="reports cannot be written"):
        publish(tmp_path, GOOD)


def test_an_unknown_report(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="no report audit_reconstructoin: did you mean audit_reconstruction"):
        run_report("audit_reconstructoin", {}, Settings(reports_dir=tmp_path))
