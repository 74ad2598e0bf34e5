"""`eventlib lag` and `eventlib ready`: how fresh the read models are, and whether they are going to stay so."""

from __future__ import annotations

import dataclasses
import time
from typing import Annotated, Any

import psycopg
import typer
from rich.console import Group
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from eventlib.cli.context import services, settings
from eventlib.cli.output import print_json, results
from eventlib.errors import EventlibError
from eventlib.orders.notifications import ORDER_NOTIFICATIONS
from eventlib.orders.projections import PROJECTIONS
from eventlib.pipeline.readiness import readiness
from eventlib.pipeline.signals import ProjectionSignals, Signals, take_signals
from eventlib.projections.lag_histogram import PROMISE_MS, merged
from eventlib.stopping import Stop
from eventlib.store.connection import connect
from eventlib.streaming.clients import reach

app = typer.Typer()

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, for scripts.")]


def _signals() -> Signals:
    kafka, notifying = services().kafka, settings().push_url is not None
    with connect(services().database_url) as connection:
        return take_signals(connection, kafka, reach(kafka), PROJECTIONS, ORDER_NOTIFICATIONS, notifying)


@app.command()
def lag(
    once: Annotated[bool, typer.Option(help="Print it once; without a terminal it always does.")] = False,
    as_json: AsJson = False,
) -> None:
    """How long events took to become visible in the last five minutes, and what waits now; live until Ctrl-C."""
    if as_json:
        found = _signals()
        print_json(
            {
                "outbox": {"events": found.outbox.depth, "oldest_s": found.outbox.oldest_s},
                "promise_ms": PROMISE_MS,
                "projections": {one.name: _figures(one) for one in found.projections},
                "notifier": found.notifier and dataclasses.asdict(found.notifier),
                "pushes": {
                    "waiting": found.pushes_waiting,
                    "oldest_s": found.pushes_oldest_s,
                    "lost": found.pushes_lost,
                },
            }
        )
    elif once or not results.is_terminal:
        results.print(_table(_signals()))
    else:
        stop = Stop().on_signals()
        last = _table(_signals())
        with Live(last, console=results, auto_refresh=False) as live:
            while not stop.wait(1.0):
                try:
                    last = _table(_signals())
                    live.update(last, refresh=True)
                except (EventlibError, psycopg.Error) as error:  # a server that is being restarted
                    trouble = f"{time.strftime('%H:%M:%S')}  {str(error).strip()}"
                    live.update(Group(last, Text(trouble, "red", no_wrap=False, overflow="fold")), refresh=True)


@app.command()
def ready(as_json: AsJson = False) -> None:
    """Whether what is written is going to be read soon. Exit code 0 if every part does its work, else 1."""
    parts = readiness(_signals(), settings().ready_within_s)
    if as_json:
        print_json({part.part: {"ready": part.ready, "finding": part.finding} for part in parts})
    else:
        table = Table(Column("part", no_wrap=True), "ready", "what was found", box=None)
        for part in parts:
            table.add_row(part.part, "yes" if part.ready else "NO", part.finding)
        results.print(table)
    raise typer.Exit(0 if all(part.ready for part in parts) else 1)


def _figures(one: ProjectionSignals) -> dict[str, Any]:
    lag = merged(one.lag.values())
    return {
        "events": lag.events,
        "p50_ms": lag.quantile(0.5),
        "p99_ms": lag.quantile(0.99),
        "within_promise": lag.within(PROMISE_MS),
        "unapplied": one.unapplied,
        "oldest_s": one.oldest_s,
        "parked": one.parked,
        "missed": one.missed,
        "paused": one.paused,
        "projectors": one.members,
    }


def _table(found: Signals) -> Table:
    """What fits into 80 columns; the notifier has no lag, since nobody reads what it makes here."""
    outbox = found.outbox
    wait = "event waits" if outbox.depth == 1 else "events wait"
    figures = ("5 min", "p50", "p99", f"≤{PROMISE_MS} ms", "wait", "oldest", "parked", "up")
    table = Table(
        Column("projection", no_wrap=True),
        *(Column(figure, justify="right", no_wrap=True) for figure in figures),
        title=f"{time.strftime('%H:%M:%S')}  outbox: {outbox.depth:,} {wait}"
        f"{f', the oldest for {_seconds(outbox.oldest_s)}' if outbox.oldest_s else ''}",
        title_justify="left",
        box=None,
        pad_edge=False,
        collapse_padding=True,
    )
    for one in found.projections:
        lag = merged(one.lag.values())
        kept = lag.within(PROMISE_MS)
        table.add_row(
            one.name,
            f"{lag.events:,}",
            _milliseconds(lag.quantile(0.5)),
            _milliseconds(lag.quantile(0.99)),
            "–" if kept is None else f"{100 * kept:.4g} %",
            f"{one.unapplied:,}",
            _seconds(one.oldest_s),
            f"{one.parked:,}",
            "paused" if one.paused else str(one.members),
        )
    if (notifier := found.notifier) is not None:
        waiting = (f"{notifier.unapplied:,}", _seconds(notifier.oldest_s))
        table.add_row(notifier.name, *["–"] * 4, *waiting, "–", str(notifier.members))
    return table


def _milliseconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f} ms" if value <= 10_000 else f"{value / 1000:.0f} s"


def _seconds(value: float | None) -> str:
    if value is None:
        return "?"
    return f"{value:.1f} s" if value < 1000 else f"{value:.0f} s"
