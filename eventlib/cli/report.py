"""`eventlib report run | list`: notebooks as reports."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from eventlib.cli.context import settings
from eventlib.cli.output import notes, print_json, progress, results
from eventlib.errors import ReportError

if TYPE_CHECKING:
    from eventlib.reporting.runner import PublishedRun

app = typer.Typer(name="report", help="Run notebooks as reports.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON object, for scripts.")]


@app.command()
def run(
    name: Annotated[str, typer.Argument(help="The report; `eventlib report list` names them.")],
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="A parameter of the report.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a report and publish it as one HTML file.

    Exit code 0 if the verdict is VERIFIED, 1 if it is FAILED, 3 if something was NOT COVERED, 2 if it could not be run.
    """
    published = run_with_progress(name, _parameters(parameter or []))
    if as_json:
        print_json(
            {
                "report": name,
                "outcome": published.verdict.outcome,
                "title": published.verdict.title,
                "page": str(published.page),
                "exit_code": published.exit_code,
            }
        )
    else:
        show_report(published)
    raise typer.Exit(published.exit_code)


def run_with_progress(name: str, parameters: dict[str, str]) -> PublishedRun:
    """Run a report behind a progress bar."""
    with progress() as bar:
        task = bar.add_task(f"running {name}", total=None)
        published: PublishedRun = _workbench("runner").run_report(
            name,
            parameters,
            settings(),
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    return published


def show_report(published: PublishedRun) -> None:
    """Print the verdict, each check, and where the page is."""
    results.print(f"{published.verdict.outcome}: {published.verdict.title}")
    for check in published.verdict.checks:
        results.print(f"  {check.outcome}: {check.name}. {check.finding}")
    for limit in published.verdict.limits:
        results.print(f"  not covered: {limit}")
    notes.print(f"report: {published.page}")
    notes.print(f"all reports: {settings().reports_dir / 'index.html'}")


def _workbench(module: str) -> ModuleType:
    # Imported when a report is wanted: the workbench is an extra, and takes a second that other commands need not wait.
    try:
        return importlib.import_module(f"eventlib.reporting.{module}")
    except ModuleNotFoundError as error:
        raise ReportError(f"reports need the workbench ({error}): pip install 'eventlib[workbench]'") from None


def _parameters(given: list[str]) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ReportError(f"-p {text}: a parameter is given as NAME=VALUE")
        if name in parameters:
            raise ReportError(f"-p {text}: the parameter {name} is given twice")
        parameters[name] = value
    return parameters


@app.command(name="list")
def list_all() -> None:
    """List the reports with their parameters."""
    table = Table("report", "what it shows", "parameters", box=None)
    for report in _workbench("catalogue").list_reports():
        table.add_row(report.name, report.title, ", ".join(parameter.name for parameter in report.parameters))
    results.print(table)
