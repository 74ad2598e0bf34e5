"""`eventlib lag` and `eventlib ready`: how fresh the read models are, and whether they are going to stay so."""

from __future__ import annotations

import dataclasses
import time
from typing import Annotated, Any

import typer
from rich.live import Live
from rich.table import Table

from eventlib.cli.context import services, settings
from eventlib.cli.output import print_json, results
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
        with Live(_table(_signals()), console=results, auto_refresh=False) as live:
            while not stop.wait(1.0):
                live.update(_table(_signals()), refresh=True)


@app.command()
def ready(as_json: AsJson = False) -> None:
    """Whether what is written is going to be read soon. Exit code 0 if every part does its work, else 1."""
    parts = readiness(_signals(), settings().ready_within_s)
    if as_json:
        print_json({part.part: {"ready": part.ready, "finding": part.finding} for part in parts})
    else:
        table = Table("part", "ready", "what was found", box=None)
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
        "paused": one.paused,
        "projectors": one.members,
    }


def _table(found: Signals) -> Table:
    outbox = found.outbox
    table = Table(
        *("projection", "events in 5 min", "half within", "99 % within", f"within {PROMISE_MS} ms"),
        *("waiting", "the oldest for", "parked", "projectors"),
        title=f"{time.strftime('%H:%M:%S')}  outbox: {outbox.depth} events wait, the oldest for {outbox.oldest_s:.1f} s",
        title_justify="left",
        box=None,
    )
    for one in found.projections:
        lag = merged(one.lag.values())
        half, most, kept = lag.quantile(0.5), lag.quantile(0.99), lag.within(PROMISE_MS)
        table.add_row(
            one.name,
            f"{lag.events:,}",
            "–" if half is None else f"{half:.0f} ms",
            "–" if most is None else f"{most:.0f} ms",
            "–" if kept is None else f"{100 * kept:.2f} %",
            f"{one.unapplied:,}",
            "unknown" if one.oldest_s is None else f"{one.oldest_s:.1f} s",
            str(one.parked),
            f"{one.members}{' (paused)' if one.paused else ''}",
        )
    return table
