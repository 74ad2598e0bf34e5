"""Runs a report: checks its parameters, executes its notebook, publishes page and result at once or not at all."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import nbformat
from nbformat import NotebookNode

from eventlib.errors import ReportError
from eventlib.reporting.catalogue import Report, find_report
from eventlib.reporting.execution import CELL_TIMEOUT_S, ExecutionFailed, Progress, execute
from eventlib.reporting.gallery import PAGE, RESULT, rebuild_gallery
from eventlib.reporting.page import failure_page, report_page
from eventlib.reporting.parameters import checked_values
from eventlib.reporting.result import Result, software
from eventlib.reporting.verdict import EXIT_ERROR, HandedOver, Verdict, exit_code
from eventlib.settings import Settings

NOTEBOOK = "notebook.ipynb"


@dataclass(frozen=True)
class PublishedRun:
    """A run that came to a verdict.

    Attributes:
        folder: of the run.
        page: its one HTML file.
        verdict: what the report says.
        exit_code: 0 for VERIFIED, 1 for FAILED, 3 for NOT_COVERED.
    """

    folder: Path
    page: Path
    verdict: Verdict
    exit_code: int


class ReportFailed(ReportError):
    """A report was started and came to no verdict; a page that says so is published.

    Attributes:
        folder: of the run, with that page and the notebook as far as it came.
    """

    def __init__(self, message: str, folder: Path) -> None:
        super().__init__(message)
        self.folder = folder


def run_report(
    name: str,
    parameters: Mapping[str, str],
    settings: Settings,
    *,
    cell_timeout_s: int = CELL_TIMEOUT_S,
    progress: Progress = lambda done, total: None,
    notebooks: Path | None = None,
) -> PublishedRun:
    """Run a report and publish it under `settings.reports_dir`, where it also enters the gallery.

    Args:
        name: of the report.
        parameters: by name, as text.
        settings: of the database to read, and where to publish.
        cell_timeout_s: how long each cell may take, in seconds.
        progress: told after each cell how many are done, of how many.
        notebooks: folder of the notebooks, by default the shipped ones.

    Raises:
        ReportFailed: the notebook did not run to its end with one verdict. This is published, too.
        ReportError: no such report, a parameter is unknown, missing or malformed, or nothing can be written to
            `settings.reports_dir`. No kernel was started and nothing is published.
    """
    report = find_report(name, notebooks)
    values = checked_values(report.parameters, parameters, name)
    started_at = datetime.now(UTC)
    partial = _new_folder(settings.reports_dir, name, started_at)
    try:
        try:
            executed, handed_over = execute(
                report.notebook, values, settings, cell_timeout_s=cell_timeout_s, progress=progress
            )
        except ExecutionFailed as failure:
            result = _result(report, parameters, started_at, None, str(failure))
            folder = _publish(partial, failure.notebook, failure_page(result, failure.traceback), result)
            rebuild_gallery(settings.reports_dir)
            raise ReportFailed(f"report {name} could not be run: {failure}", folder) from None
        result = _result(report, parameters, started_at, handed_over, None)
        folder = _publish(partial, executed, report_page(executed, result), result)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    rebuild_gallery(settings.reports_dir)
    return PublishedRun(folder, folder / PAGE, handed_over.verdict, result.exit_code)


def _new_folder(reports_dir: Path, name: str, started_at: datetime) -> Path:
    """An empty folder beside the one that it will become; its name begins with a dot until it is complete."""
    folder = reports_dir / name / f".{started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise ReportError(f"reports cannot be written to {reports_dir}: {error}; see EVENTLIB_REPORTS_DIR") from None
    return folder


def _publish(partial: Path, notebook: NotebookNode, page: str, result: Result) -> Path:
    nbformat.write(notebook, partial / NOTEBOOK)  # type: ignore[no-untyped-call]
    (partial / PAGE).write_text(page, encoding="utf-8")
    (partial / RESULT).write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
    return partial.rename(partial.with_name(partial.name.removeprefix(".")))


def _result(
    report: Report,
    parameters: Mapping[str, str],
    started_at: datetime,
    handed_over: HandedOver | None,
    error: str | None,
) -> Result:
    outcome = handed_over.verdict.outcome if handed_over else None
    return Result(
        report=report.name,
        title=report.title,
        parameters=dict(parameters),
        started_at=started_at,
        finished_at=datetime.now(UTC),
        outcome=outcome,
        exit_code=exit_code(outcome) if outcome else EXIT_ERROR,
        error=error,
        verdict=handed_over.verdict if handed_over else None,
        evidence=handed_over.evidence if handed_over else None,
        software=software(),
    )
