"""`eventlib outbox status | retry | park | unpark`: what waits to be published, and what is held back."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Column, Table

from eventlib.cli.context import opened_store
from eventlib.cli.output import notes, print_json, results
from eventlib.errors import SettingsError
from eventlib.outbox import held
from eventlib.outbox.cdc import publisher
from eventlib.outbox.status import OutboxStatus, outbox_status

app = typer.Typer(name="outbox", help="What waits to be published to Kafka.", no_args_is_help=True)

One = Annotated[UUID | None, typer.Argument(help="The aggregate; without it, all that are held.")]


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for scripts.")] = False,
    shards: Annotated[
        bool, typer.Option(help="Every shard with its owner, not only each relay with its number.")
    ] = False,
) -> None:
    """How deep the outbox is, how old its oldest row, who publishes what. Exit code 0 if nothing is amiss, else 1."""
    with opened_store() as store:
        found = outbox_status(store.connection)
    if as_json:
        print_json({**dataclasses.asdict(found), "problems": found.problems})
    else:
        _show(found, shards)
    for problem in found.problems:
        notes.print(problem)
    raise typer.Exit(1 if found.problems else 0)


@app.command()
def retry(aggregate_id: One = None) -> None:
    """Try held aggregates once more now; what fails again goes on waiting as it would have."""
    with opened_store() as store:
        _say("tried again", held.retry(store.connection, aggregate_id), aggregate_id)


@app.command()
def unpark(aggregate_id: One = None) -> None:
    """Let held aggregates go: they are tried now, and as patiently as the first time."""
    with opened_store() as store:
        _say("let go", held.unpark(store.connection, aggregate_id), aggregate_id)


@app.command()
def park(
    aggregate_id: Annotated[UUID, typer.Argument(help="The aggregate.")],
    reason: Annotated[str, typer.Option(help="Why, for who reads the status.")],
) -> None:
    """Hold an aggregate's events back until `eventlib outbox unpark`. Only relays can: not while Debezium publishes."""
    try:
        reason.encode()
    except UnicodeEncodeError:  # the terminal handed over bytes that are no text
        raise SettingsError("--reason is not valid UTF-8: write it in another way") from None
    with opened_store() as store:
        if publisher(store.connection) == "cdc":
            notes.print(
                f"{aggregate_id} is not parked: change data capture publishes, and holds nothing back; `eventlib cdc down` "
                "lets the relays publish, which can"
            )
            raise typer.Exit(1)
        held.park(store.connection, aggregate_id, reason)
    results.print(f"{aggregate_id} is parked")


def _say(what: str, ids: list[UUID], wanted: UUID | None) -> None:
    if wanted is not None and not ids:
        notes.print(f"{wanted} is not held")
        raise typer.Exit(1)
    results.print(f"{len(ids)} aggregates are {what}")


def _show(found: OutboxStatus, every_shard: bool) -> None:
    results.print(
        f"{found.depth} events wait to be published by {'relays' if found.publisher == 'relay' else 'change data capture'}"
        f"{f', the oldest that nothing holds back for {found.oldest_s:.1f} s' if found.oldest_s else ''}"
    )
    owned = Counter(shard.owner for shard in found.shards)
    relays = Table(Column("relay", no_wrap=True), "state", "shards", "published", "last trouble", box=None)
    for relay in found.relays:
        trouble = f"{relay.last_error_at:%Y-%m-%d %H:%M:%S} {relay.last_error}" if relay.last_error else ""
        state = "alive" if relay.alive else "gone"
        relays.add_row(relay.place, state, str(owned[relay.relay]), str(relay.published), trouble)
    if found.relays:
        results.print(relays)
    if every_shard:
        places = {relay.relay: relay.place for relay in found.relays}
        table = Table("shard", Column("owner", no_wrap=True), "epoch", "events", "oldest", box=None)
        for shard in found.shards:
            owner = places.get(shard.owner, str(shard.owner)) if shard.owner else "nobody"
            table.add_row(str(shard.shard), owner, str(shard.epoch), str(shard.depth), f"{shard.oldest_s:.1f} s")
        results.print(table)
