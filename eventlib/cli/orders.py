"""`eventlib import olist | simulate`: orders for the log."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from eventlib.cli.context import opened_store
from eventlib.cli.output import notes, print_json, progress, results
from eventlib.orders.olist import ImportSummary, OlistSource, import_orders, read_source
from eventlib.orders.simulation import SimulationSummary
from eventlib.orders.simulation import simulate as simulate_orders

app = typer.Typer()
imports = typer.Typer(name="import", help="Turn order files into order events.", no_args_is_help=True)
app.add_typer(imports)

Json = Annotated[bool, typer.Option("--json", help="One JSON object, for scripts.")]
Orders = Annotated[int, typer.Option(min=0, max=1_000_000, help="Ordinary orders, most with 5 to 20 events.")]
Seed = Annotated[int, typer.Option(help="Of all that is random: the same seed gives the same orders.")]


@imports.callback()
def _group() -> None: ...


@imports.command()
def olist(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder with the olist_*_dataset.csv files.")],
    as_json: Json = False,
) -> None:
    """Import the public Olist order files. Importing twice adds nothing.

    Exit code 0 if every order and every cent of the files is in the log; 1 if an order was refused or a sum does not
    reconcile.
    """
    summary = import_with_progress(read_source(folder))
    if as_json:
        print_json(_import_document(summary))
    else:
        show_import(summary)
    if summary.refused or not summary.reconciles:
        raise typer.Exit(1)


def import_with_progress(source: OlistSource) -> ImportSummary:
    """Import behind a progress bar."""
    with opened_store() as store, progress() as bar:
        task = bar.add_task("importing orders", total=len(source))
        return import_orders(store, source, lambda orders: bar.advance(task, orders))


def show_import(summary: ImportSummary) -> None:
    """Print what was imported, repaired and refused, and why."""
    results.print(
        f"{summary.orders} orders in the files: {summary.imported} imported with {summary.events} events, "
        f"{summary.unchanged} in the log already, {summary.refused} refused"
    )
    statuses = Table("status", "in the files", "in the log", "refused", box=None, title="Orders by status")
    for status in summary.statuses:
        name = f"{status.source_status} → {status.status}"
        statuses.add_row(name, str(status.in_source), str(status.in_log), str(status.refused))
    results.print(statuses)
    sums = Table("sum", "in the files", "in the log", "refused", "difference", box=None, title="Money")
    for check in (summary.items, summary.freight, summary.payments):
        cents = (check.source_cents, check.log_cents, check.refused_cents, check.difference_cents)
        sums.add_row(check.what, *(f"{amount / 100:,.2f}" for amount in cents))
    results.print(sums)
    reasons = Table("orders", "what", "why", box=None, title="Quirks and refusals")
    for quirk in summary.quirks:
        reasons.add_row(str(quirk.orders), quirk.quirk.action, quirk.quirk.sentence)
    for refusal in summary.refusals:
        examples = f"{refusal.refusal.sentence} For example: {'; '.join(refusal.examples)}"
        reasons.add_row(str(refusal.orders or refusal.rows), "refused", examples)
    results.print(reasons)
    if summary.unread_files or summary.unread_columns:
        results.print(f"not read: {', '.join([*summary.unread_files, *summary.unread_columns])}")
    verdict = "reconcile to the cent" if summary.reconciles else "DO NOT RECONCILE"
    results.print(f"files and log {verdict}")


def _import_document(summary: ImportSummary) -> dict[str, Any]:
    document = dataclasses.asdict(summary)
    document["quirks"] = [
        {"code": one.quirk.code, "action": one.quirk.action, "orders": one.orders, "examples": one.examples}
        for one in summary.quirks
    ]
    document["refusals"] = [
        {"code": one.refusal.code, "orders": one.orders, "rows": one.rows, "examples": one.examples}
        for one in summary.refusals
    ]
    return {**document, "reconciles": summary.reconciles}


@app.command()
def simulate(
    orders: Orders = 500,
    seed: Seed = 1,
    hot_orders: Annotated[int, typer.Option(min=0, max=1000, help="Further orders with thousands of events.")] = 2,
    hot_events: Annotated[int, typer.Option(min=12, max=1_000_000, help="Events of each of those.")] = 2000,
    as_json: Json = False,
) -> None:
    """Make lively orders: changed minds, retries, races, refunds. The same seed twice adds nothing.

    Exit code 0 if every order is complete in the log; 1 if somebody else had appended to one of them.
    """
    summary = simulate_with_progress(orders, seed, hot_orders, hot_events)
    if as_json:
        print_json(dataclasses.asdict(summary))
    else:
        show_simulation(summary)
    if summary.disturbed:
        raise typer.Exit(1)


def simulate_with_progress(orders: int, seed: int, hot_orders: int, hot_events: int) -> SimulationSummary:
    """Simulate behind a progress bar."""
    with opened_store() as store, opened_store() as rival, progress() as bar:
        task = bar.add_task("simulating orders", total=orders + hot_orders)
        return simulate_orders(
            store,
            rival,
            orders=orders,
            seed=seed,
            hot_orders=hot_orders,
            hot_events=hot_events,
            advance=lambda done: bar.advance(task, done),
        )


def show_simulation(summary: SimulationSummary) -> None:
    """Print what was sent and what came of it."""
    results.print(
        f"{summary.orders} orders: {summary.written} written with {summary.events} events, "
        f"{summary.complete_before} complete in the log before, {len(summary.disturbed)} given up"
    )
    results.print(
        f"{summary.commands} commands: {summary.repeated} repeated and executed once, {summary.refused} refused by the "
        f"domain, {summary.races_lost} races lost and decided anew"
    )
    results.print(f"an interesting order: {summary.interesting_order_id}")
    if summary.disturbed:
        notes.print(f"given up, since somebody else appended to them: {', '.join(map(str, summary.disturbed))}")
