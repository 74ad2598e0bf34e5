"""`eventlib demo`: the whole path once, from nothing to the report of an order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from eventlib.cli.context import opened_store, services
from eventlib.cli.orders import Orders, Seed, import_with_progress, show_import, show_simulation, simulate_with_progress
from eventlib.cli.output import notes, results
from eventlib.cli.projections import verify_with_progress
from eventlib.cli.report import run_with_progress, show_report
from eventlib.cli.run import show_catching_up, supervised_workers
from eventlib.cli.servers import start
from eventlib.orders.olist import read_source
from eventlib.orders.projections import ORDER_PROJECTIONS
from eventlib.projections.lag import Lag, projection_lag
from eventlib.services import Part
from eventlib.stopping import Stop
from eventlib.store.database_clock import database_clock

app = typer.Typer()

HOT_ORDERS, HOT_EVENTS = 2, 2000
PROMISE_MS = 200


@app.command()
def demo(
    orders: Orders = 500,
    seed: Seed = 1,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Import the Olist order files in DIR as well.")
    ] = None,
) -> None:
    """From nothing to a report: servers, orders, relay, Kafka, projector, read model, the audit of one order.

    Servers that were not running before are stopped at the end; their data stays.
    """
    source = read_source(data) if data else None
    with _servers():
        stop = Stop()
        with supervised_workers() as supervisor:
            # The hot orders go first and alone: a broker and workers that have just started are slow for some seconds, and
            # what is measured afterwards is the freshness that people would see.
            simulate_with_progress(0, seed, HOT_ORDERS, HOT_EVENTS)
            show_catching_up(supervisor, stop)
            with opened_store() as store:
                began = database_clock(store.connection)
            simulated = simulate_with_progress(orders, seed, HOT_ORDERS, HOT_EVENTS)
            show_simulation(simulated)
            show_catching_up(supervisor, stop)
            with opened_store() as store:
                lag = projection_lag(store.connection, ORDER_PROJECTIONS, began)
            if source is not None:
                show_import(import_with_progress(source))
                show_catching_up(supervisor, stop)
        _verify_all()
        published = run_with_progress("audit_reconstruction", {"order_id": str(simulated.interesting_order_id)})
        show_report(published)
        results.print(_freshness(lag))
    raise typer.Exit(published.exit_code)


def _freshness(lag: Lag | None) -> str:
    if lag is None:
        return "Read model: nothing new was written, so its freshness was not measured."
    return (
        f"Read model: half of {lag.aggregates} orders were visible within {lag.median_ms:.0f} ms of being written, "
        f"99 % within {lag.p99_ms:.0f} ms; the promise is {PROMISE_MS} ms."
    )


@contextmanager
def _servers() -> Iterator[None]:
    started = start(list(Part))
    try:
        yield
    finally:
        for part in reversed(started):
            services().server(part).stop()
        if started:
            notes.print("servers stopped; `eventlib up` starts them again, with all that is in them")


def _verify_all() -> None:
    result = verify_with_progress()
    results.print(f"Read model: {result.equal} of {result.aggregates} orders are what the log says.")
    if result.equal != result.aggregates or result.orphans:
        notes.print("run `eventlib projections verify` to see what differs")
        raise typer.Exit(1)
