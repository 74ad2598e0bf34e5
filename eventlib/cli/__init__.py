"""The command line: options in, exit code out. It holds no logic of its own.

Exit codes: 0 done, and for a report VERIFIED; 1 failed, or a check FAILED; 2 wrong usage, or a report that could not be run;
3 a check was NOT COVERED; 130 interrupted.
"""

from __future__ import annotations

import logging
import sys

import psycopg
import typer
from rich.logging import RichHandler
from rich.markup import escape

from eventlib.cli import bench, demo, orders, projections, report, run, servers
from eventlib.cli.output import notes
from eventlib.errors import EventlibError, ReportError

app = typer.Typer(
    name="eventlib",
    help="An event-sourced order system, and the workbench that audits it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for commands in (demo, servers, orders, run, projections, report, bench):
    app.add_typer(commands.app)


def main() -> None:
    """Run the command line and end the process with an exit code that tells the truth."""
    logging.basicConfig(
        level=logging.INFO,
        format="%(name)s: %(message)s",
        datefmt="%H:%M:%S",
        handlers=[RichHandler(console=notes, show_path=False, show_level=True)],
    )
    try:
        app()
    except EventlibError as error:
        notes.print(f"[bold red]error[/] {_plain(error)}", highlight=False)
        sys.exit(2 if isinstance(error, ReportError) else 1)
    except psycopg.errors.UndefinedTable as error:
        notes.print(f"[bold red]error[/] the database has no eventlib schema ({_plain(error)}): run `eventlib init`")
        sys.exit(1)
    except psycopg.Error as error:
        notes.print(f"[bold red]error[/] the database failed: {_plain(error)}", highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _plain(error: Exception) -> str:
    return escape(str(error).strip())
