"""`eventlib projections verify | rebuild`: is the read model what the log says, and if not, make it so."""

from __future__ import annotations

from typing import Annotated

import typer

from eventlib.cli.context import opened_store
from eventlib.cli.output import notes, print_json, progress, results
from eventlib.orders.projections import ORDER_PROJECTIONS
from eventlib.projections.rebuild import rebuild
from eventlib.projections.reconcile import SHOWN, Verification, verify

app = typer.Typer(name="projections", help="The read models.", no_args_is_help=True)


@app.command(name="rebuild")
def rebuild_projection() -> None:
    """Make order_projections anew from the log. Readers see the old rows until it is done; the projector waits."""
    with opened_store() as store, progress() as bar:
        task = bar.add_task(f"rebuilding {ORDER_PROJECTIONS.name}", total=None)
        rows = rebuild(store, ORDER_PROJECTIONS, lambda aggregates: bar.advance(task, aggregates))
    results.print(f"{rows} orders folded from the log")


def verify_with_progress() -> Verification:
    """Compare the read model with the log behind a progress bar."""
    with opened_store() as store, progress() as bar:
        task = bar.add_task(f"verifying {ORDER_PROJECTIONS.name}", total=None)
        return verify(store, ORDER_PROJECTIONS, lambda aggregates: bar.advance(task, aggregates))


@app.command(name="verify")
def verify_projection(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for scripts.")] = False,
) -> None:
    """Compare every row of order_projections with the fold of its order's events.

    Exit code 0 if every order has a row and every row is what the log says at the version that it claims; 1 if a row
    differs or belongs to no order; 3 if orders have no row yet.
    """
    result = verify_with_progress()
    if as_json:
        print_json(
            {
                "projection": ORDER_PROJECTIONS.name,
                "aggregates": result.aggregates,
                "equal": result.equal,
                "behind": result.behind,
                "missing": len(result.missing),
                "differing": [str(row.aggregate_id) for row in result.differing],
                "orphans": [str(order_id) for order_id in result.orphans],
            }
        )
    else:
        results.print(
            f"{result.equal} of {result.aggregates} orders are what the log says, {result.behind} of them not up to date; "
            f"{len(result.missing)} have no row, {len(result.differing)} differ, {len(result.orphans)} rows have no order"
        )
    for row in result.differing[:SHOWN]:
        for comparison in row.differing:
            notes.print(
                f"{row.aggregate_id} {comparison.name}: the log says {comparison.folded}, the row {comparison.projected}"
            )
    if result.differing or result.orphans:
        raise typer.Exit(1)
    if result.missing:
        raise typer.Exit(3)
