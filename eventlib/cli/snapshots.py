"""`eventlib snapshots verify | rebuild | prune`: the folded states that shorten loads."""

from __future__ import annotations

from typing import Annotated

import typer

from eventlib.cli.context import opened_store, settings
from eventlib.cli.output import notes, print_json, progress, results
from eventlib.orders import ORDER
from eventlib.store.snapshot_care import prune_snapshots, rebuild_snapshots, verify_snapshots
from eventlib.store.snapshots import KEEP

app = typer.Typer(name="snapshots", help="The folded states that shorten loads.", no_args_is_help=True)

SHOWN = 10

Json = Annotated[bool, typer.Option("--json", help="One JSON object, for scripts.")]


@app.command()
def verify(as_json: Json = False) -> None:
    """Compare every snapshot with a replay of the log up to its version.

    Exit code 0 if each of today's state class holds what a replay gives; 1 if one does not. Those of another state class are
    counted: loads pass over them, and `rebuild` or `prune` removes them.
    """
    with opened_store() as store, progress() as bar:
        task = bar.add_task("verifying snapshots", total=None)
        result = verify_snapshots(store, ORDER, lambda snapshots: bar.advance(task, snapshots))
    if as_json:
        bad = [{"id": str(one.aggregate_id), "version": one.version, "problem": one.problem} for one in result.bad]
        print_json({"snapshots": result.snapshots, "good": result.good, "stale": result.stale, "bad": bad})
    else:
        results.print(
            f"{result.good} of {result.snapshots} snapshots hold what a replay gives; {result.stale} are of another state "
            f"class, {len(result.bad)} are bad"
        )
    for one in result.bad[:SHOWN]:
        notes.print(f"{one.aggregate_id} version {one.version}: {one.problem}")
    if result.bad:
        raise typer.Exit(1)


@app.command()
def rebuild(
    every: Annotated[
        int | None, typer.Option(min=1, help="Take one of each order with at least so many events.")
    ] = None,
) -> None:
    """Forget all snapshots and take new ones from the log. Loads replay the log meanwhile."""
    interval = every or settings().snapshot_every.get(ORDER.name)
    with opened_store() as store, progress() as bar:
        task = bar.add_task("taking snapshots", total=None)
        taken = rebuild_snapshots(store, ORDER, interval, lambda orders: bar.advance(task, orders))
    results.print(f"{taken} snapshots taken")


@app.command()
def prune(
    keep: Annotated[int, typer.Option(min=1, help="Snapshots that stay of each order.")] = KEEP,
) -> None:
    """Forget snapshots of another state class, and all but the newest of each order."""
    with opened_store() as store:
        pruned = prune_snapshots(store, ORDER, keep)
    results.print(f"{pruned} snapshots forgotten")
