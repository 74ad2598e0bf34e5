"""`eventlib notifications status`: what has become of the pushes."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import msgspec
import typer
from rich.table import Column, Table

from eventlib.cli.context import opened_store
from eventlib.cli.output import notes, print_json, results
from eventlib.notifications.status import NotificationStatus, notification_status

app = typer.Typer(name="notifications", help="What customers were told.", no_args_is_help=True)


@app.callback()
def _group() -> None: ...


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for scripts.")] = False) -> None:
    """How many pushes were sent, and those that were not. Exit code 0 if nothing is amiss, else 1."""
    with opened_store() as store:
        found = notification_status(store.connection)
    if as_json:
        print_json({**msgspec.to_builtins(dataclasses.asdict(found)), "problems": found.problems})
    else:
        _show(found)
    for problem in found.problems:
        notes.print(problem)
    raise typer.Exit(1 if found.problems else 0)


def _show(found: NotificationStatus) -> None:
    counts = ", ".join(f"{count} {state}" for state, count in sorted(found.states.items()))
    results.print(f"pushes: {counts or 'none yet'}")
    if found.unsent:
        aggregate = Column("aggregate", no_wrap=True)
        table = Table(aggregate, "what", Column("why", overflow="fold"), box=None, pad_edge=False)
        for one in found.unsent:
            rounds = f"{one.attempts} round{'' if one.attempts == 1 else 's'}"
            what = f"{one.event_type} (version {one.version})\n{one.state} after {rounds}\n{one.noted_at:%Y-%m-%d %H:%M:%S}"
            table.add_row(str(one.aggregate_id), what, one.error or "")
        results.print(table)
