"""The command line: options in, exit code out. It holds no logic of its own.

Exit codes: 0 done, and for a report VERIFIED; 1 failed, or a check FAILED; 2 wrong usage, or a report that could not be run;
3 a check was NOT COVERED; 130 interrupted.
"""

from __future__ import annotations

import itertools
import logging
import signal
import sys
from typing import Annotated

import psycopg
import typer
from rich.logging import RichHandler
from rich.text import Text

from eventlib import __version__
from eventlib.cli import (
    bench,
    cdc,
    demo,
    events,
    freshness,
    notifications,
    orders,
    outbox,
    projections,
    report,
    run,
    servers,
    snapshots,
)
from eventlib.cli.output import notes, results
from eventlib.errors import EventlibError, ReportError
from eventlib.garbage_collection import collect_less_often
from eventlib.store.metrics import count_together
from eventlib.tracing import start_tracing

app = typer.Typer(
    name="eventlib",
    help="An event-sourced order system, and the workbench that audits it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for commands in (
    demo,
    servers,
    orders,
    run,
    freshness,
    events,
    outbox,
    cdc,
    projections,
    notifications,
    snapshots,
    report,
    bench,
):
    app.add_typer(commands.app)


def _print_version(wanted: bool) -> None:
    if wanted:
        results.print(f"eventlib {__version__}")
        raise typer.Exit(0)


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None: ...


def main() -> None:
    """Run the command line and end the process with an exit code that tells the truth."""
    _log_to_standard_error()
    start_tracing()
    collect_less_often()
    # A terminated command unwinds like an interrupted one, so that what it has started or made is put away.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        count_together()
        app()
    except EventlibError as error:
        _end(str(error), 2 if isinstance(error, ReportError) else 1)
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        _end(f"the database lacks tables or columns of eventlib ({str(error).splitlines()[0]}): run `eventlib init`", 1)
    except psycopg.errors.IdleInTransactionSessionTimeout:
        _end(
            "the database has ended this session, which did nothing for a while within a transaction: the process was "
            "suspended, or its own code takes too long. Nothing is lost; start it again",
            1,
        )
    except psycopg.Error as error:
        _end(f"the database failed: {str(error).strip()}", 1)
    except KeyboardInterrupt:
        sys.exit(130)


def _end(message: str, code: int) -> None:
    command = " ".join(itertools.takewhile(lambda argument: not argument.startswith("-"), sys.argv[1:3]))
    notes.print(Text.assemble((f"error in eventlib {command}: ", "bold red"), message))
    sys.exit(code)


def _log_to_standard_error() -> None:
    if sys.stderr.isatty():
        handler: logging.Handler = RichHandler(console=notes, show_path=False)
        logging.basicConfig(level=logging.INFO, format="%(message)s", datefmt="%H:%M:%S", handlers=[handler])
    else:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for talkative in ("matplotlib", "httpx"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
