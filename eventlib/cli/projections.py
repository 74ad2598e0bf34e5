"""`eventlib projections ...`: are the read models what the log says, and if not, make them so."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Annotated, Any
from uuid import UUID

import msgspec
import typer
from rich.table import Column, Table

from eventlib.cli.context import opened_store, projection_named, services
from eventlib.cli.output import notes, print_json, progress, rate_progress, results
from eventlib.orders.projections import ORDER_PROJECTIONS
from eventlib.projection import Projection
from eventlib.projections.parking import parked, replay_parked
from eventlib.projections.read import read_row
from eventlib.projections.rebuild import Rebuilt, discard, rebuild, rollback
from eventlib.projections.reconcile import SHOWN, Verification, verify
from eventlib.projections.tables import pause
from eventlib.store.connection import connect

app = typer.Typer(name="projections", help="The read models.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The projection.")]


@app.command(name="rebuild")
def rebuild_projection(
    name: Name = ORDER_PROJECTIONS.name,
    processes: Annotated[
        int | None, typer.Option(min=1, help="How many load at once; by default, one a processor.")
    ] = None,
    fresh: Annotated[bool, typer.Option(help="Do not go on with a rebuild that was interrupted.")] = False,
    hold: Annotated[bool, typer.Option(help="Build and compare, and change nothing that readers see.")] = False,
    even_if_parked: Annotated[
        bool, typer.Option(help="Change the tables although more orders are left behind than before.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for scripts.")] = False,
) -> None:
    """Make a projection anew from the log, while readers and projectors go on with the old table; then change the two.

    A rebuild that was killed goes on where it was when it is started again, unless the projection is declared otherwise by
    then. Exit code 1 if orders were left behind at an event that the fold
    cannot take; if they are more than before, readers go on with the old table.
    """
    projection = projection_named(name)
    with rate_progress() as bar:
        task = bar.add_task(f"rebuilding {name}", total=None)

        def show(doing: str, done: int, of: int) -> None:
            bar.update(task, description=f"{doing} {name}")
            if of:
                bar.update(task, completed=done, total=max(done, of))

        done = rebuild(
            services().owner_url,
            projection,
            processes=processes,
            fresh=fresh,
            hold=hold,
            even_if_parked=even_if_parked,
            progress=show,
        )
    if as_json:
        print_json({"projection": name, **dataclasses.asdict(done)})
    else:
        _show_rebuilt(done, name, hold)
    raise typer.Exit(1 if done.parked else 0)


def _show_rebuilt(done: Rebuilt, name: str, hold: bool) -> None:
    results.print(f"{done.rows} orders folded from {done.events} events of the log in {done.seconds:.1f} s")
    if done.resumed:
        results.print(
            f"{done.resumed} partitions of the log were folded by an earlier run: if a function of {name} was changed "
            "since, begin anew with --fresh"
        )
    if done.caught_up:
        results.print(f"{done.caught_up} events were written meanwhile, and caught up with")
    if found := done.comparison:
        results.print(
            f"compared with the old table: {found.equal} rows are equal, {found.differing} differ at the same version, "
            f"{found.newer} are newer, {found.older} are older, {found.added} are new, {found.gone} are gone"
        )
        for difference in found.differences:
            columns = "; ".join(f"{column}: {old} is now {new}" for column, (old, new) in difference.columns.items())
            notes.print(f"{difference.aggregate_id} {columns}")
    if done.parked:
        which = f"parked {name}" if done.cut_over else "parked"
        notes.print(f"{done.parked} orders are left behind: `eventlib projections {which}` says at which event")
    if not done.cut_over and not hold:
        notes.print(
            f"readers go on with the old table, which has left {done.parked_before} behind: mend the fold and rebuild with "
            "--fresh, or have it all the same with --even-if-parked"
        )
    elif hold:
        results.print("readers see the old table; `eventlib projections rebuild` goes on from here")
    elif done.comparison:
        results.print(
            f"the old table is kept: `eventlib projections rollback {name}` brings it back, `discard` drops it"
        )


@app.command(name="rollback")
def roll_back(name: Name) -> None:
    """Bring back the table that the last rebuild has replaced, with what was written since."""
    rollback(services().owner_url, projection_named(name))
    results.print(f"{name} is the table of before again")


@app.command(name="discard")
def discard_predecessor(name: Name) -> None:
    """Drop the table that the last rebuild has replaced."""
    with connect(services().owner_url) as connection:
        found = discard(connection, projection_named(name))
    results.print(f"the old table of {name} is gone" if found else f"there was no old table of {name}")


def verify_with_progress(projection: Projection[Any] = ORDER_PROJECTIONS) -> Verification:
    """Compare the read model with the log behind a progress bar."""
    with opened_store() as store, progress() as bar:
        task = bar.add_task(f"verifying {projection.name}", total=None)
        return verify(store, projection, lambda aggregates: bar.advance(task, aggregates))


@app.command()
def show(
    name: Name,
    aggregate_id: Annotated[UUID, typer.Argument(help="The order.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for scripts.")] = False,
) -> None:
    """One row, as of when it is and how stale. Exit code 1 if there is none."""
    with opened_store() as store:
        found = read_row(store.connection, projection_named(name), aggregate_id)
    if found is None:
        notes.print(f"{name} has no row of {aggregate_id}")
        raise typer.Exit(1)
    if as_json:
        print_json(dataclasses.asdict(found))
        return
    for column, value in found.row.items():
        if column != "snapshot":
            results.print(f"{column}: {value}")
    late = found.staleness
    stale = f"{late.behind_events} events behind, for {late.waiting_s:.1f} s" if late.behind_events else "up to date"
    results.print(f"written at {found.projected_at:%Y-%m-%d %H:%M:%S.%f} UTC, {stale}; ETag {found.etag}")


@app.command(name="verify")
def verify_projection(
    name: Name = ORDER_PROJECTIONS.name,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for scripts.")] = False,
) -> None:
    """Compare every row of a projection with the fold of its order's events.

    Exit code 0 if every order has a row and every row is what the log says now; 1 if a row differs from what the log says at
    the version that it claims, cannot be compared or belongs to no order; 3 if orders have no row yet or are behind.
    """
    result = verify_with_progress(projection_named(name))
    if as_json:
        print_json(
            {
                "projection": name,
                "aggregates": result.aggregates,
                "equal": result.equal,
                "behind": result.behind,
                "missing": len(result.missing),
                "differing": [str(row.aggregate_id) for row in result.differing],
                "unreadable": [str(order_id) for order_id in result.unreadable],
                "orphans": [str(order_id) for order_id in result.orphans],
            }
        )
    else:
        results.print(
            f"{result.equal} of {result.aggregates} orders are what the log says, {result.behind} of them not up to date; "
            f"{len(result.missing)} have no row, {len(result.differing)} differ, "
            f"{len(result.unreadable)} cannot be compared, {len(result.orphans)} rows have no order"
        )
    for row in result.differing[:SHOWN]:
        for comparison in row.differing:
            notes.print(
                f"{row.aggregate_id} {comparison.name}: the log says {comparison.folded}, the row {comparison.projected}"
            )
    for order_id, why in itertools.islice(result.unreadable.items(), SHOWN):
        notes.print(f"{order_id} cannot be compared: {why}")
    if result.differing or result.unreadable or result.orphans:
        raise typer.Exit(1)
    if result.missing or result.behind:
        raise typer.Exit(3)


@app.command(name="parked")
def show_parked(
    name: Annotated[str | None, typer.Argument(help="The projection; by default all.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for scripts.")] = False,
) -> None:
    """The aggregates that projections have left behind, and at which event. Exit code 0 if there are none, else 1."""
    if name is not None:
        projection_named(name)
    with opened_store() as store:
        found = parked(store.connection, name)
    if as_json:
        print_json({"parked": msgspec.to_builtins(found)})
    elif found:
        names = [Column("aggregate", no_wrap=True), Column("projection", no_wrap=True)]
        table = Table(*names, Column("why", overflow="fold"), box=None, pad_edge=False)
        for one in found:
            attempts = f"{one.attempts} attempt{'' if one.attempts == 1 else 's'}"
            at = f"version {one.version}, since {one.parked_at:%Y-%m-%d %H:%M:%S}, {attempts}"
            table.add_row(str(one.aggregate_id), one.projection, f"{at}\n{one.error} ({one.place})")
        results.print(table)
    else:
        results.print("nothing is parked")
    raise typer.Exit(1 if found else 0)


@app.command()
def replay(
    name: Name, aggregate_id: Annotated[UUID | None, typer.Argument(help="Only this aggregate.")] = None
) -> None:
    """Bring what a projection has left behind up to date from the log, after the fold was mended. Exit code 1 if some of it
    stays behind, or what was named is not left behind."""
    failed = 0
    with opened_store() as store:
        wanted = None if aggregate_id is None else [aggregate_id]
        for one in replay_parked(store, projection_named(name), wanted):
            failed += one.error is not None or one.version is None
            if one.error is not None:
                now = f"still parked: {one.error}"
            else:
                now = "not parked: nothing was done" if one.version is None else f"at version {one.version}"
            results.print(f"{one.aggregate_id} is {now}")
    raise typer.Exit(1 if failed else 0)


@app.command(name="pause")
def pause_projection(name: Name) -> None:
    """Have a projection rest; its readers go on seeing what it has."""
    _pause(name, paused=True)


@app.command()
def resume(name: Name) -> None:
    """Have a paused projection go on where it was."""
    _pause(name, paused=False)


def _pause(name: str, paused: bool) -> None:
    with opened_store() as store:
        pause(store.connection, projection_named(name), paused)
    results.print(f"{name} {'is paused' if paused else 'goes on'}")
