"""`eventlib cdc up | status | down | config`: change data capture with Debezium in the place of the relays."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer
from rich.table import Table

from eventlib.cli.context import services, settings
from eventlib.cli.output import notes, print_json, progress, results
from eventlib.embedded.connect import EmbeddedConnect
from eventlib.orders import ORDER
from eventlib.outbox.cdc import CONNECTOR, KEPT_WAL, slot_status
from eventlib.pipeline.change_data_capture import cdc_config, cdc_down, cdc_status, cdc_up
from eventlib.store.connection import connect

app = typer.Typer(
    name="cdc", help="Change data capture with Debezium in the place of the relays.", no_args_is_help=True
)


@app.command()
def up(
    own_connect: Annotated[
        bool,
        typer.Option("--no-connect", help="Start no Kafka Connect: you have one, and give it what `cdc config` says."),
    ] = False,
) -> None:
    """Have Debezium publish the outbox. Relays finish first, and then only keep the outbox small: leave one running."""
    with connect(services().owner_url) as connection, progress() as bar:
        bar.add_task("handing over to change data capture", total=None)
        cdc_up(
            connection,
            None if own_connect else _connect(),
            services().owner_url,
            services().kafka,
            [ORDER.name],
            settings().topic_partitions,
        )
        bounded = slot_status(connection).bounded
    if not bounded:
        notes.print(
            "the server keeps write-ahead log for the slot without bound, and this role may not bound it: have an "
            f"administrator set max_slot_wal_keep_size, such as to {KEPT_WAL}"
        )
    results.print("change data capture publishes; `eventlib run relay` keeps the outbox small")


@app.command()
def down() -> None:
    """Have the relays publish again, from where change data capture has stopped; at worst some messages come twice."""
    with connect(services().owner_url) as connection:
        was = cdc_down(connection, _connect())
    results.print("the relays publish again" if was else "the relays publish, as before")


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for scripts.")] = False) -> None:
    """Who publishes, how far the slot is behind, how the connector is. Exit code 0 if nothing is amiss, else 1."""
    with connect(services().database_url) as connection:
        found = cdc_status(connection, _connect())
    if as_json:
        print_json({**dataclasses.asdict(found), "problems": found.problems})
    else:
        table = Table("part", "state", box=None)
        table.add_row("publisher", "change data capture" if found.publisher == "cdc" else "relays")
        if found.slot.exists:
            reader = "read from" if found.slot.active else "nobody reads from it"
            behind = f"{found.slot.behind_bytes / 1024:,.0f} KiB behind"
            bound = "" if found.slot.bounded else ", kept without bound"
            table.add_row("slot", f"{found.slot.name}, {reader}, {behind}, {found.slot.wal_status}{bound}")
        table.add_row("connect", found.connect.detail)
        if found.connector is not None:
            table.add_row("connector", found.connector.state)
        table.add_row(
            "outbox", f"{found.depth:,} events{f', the oldest for {found.oldest_s:.1f} s' if found.oldest_s else ''}"
        )
        results.print(table)
    for problem in found.problems:
        notes.print(problem)
    raise typer.Exit(1 if found.problems else 0)


@app.command()
def config() -> None:
    """The connector as JSON, for the REST interface of a Kafka Connect of your own: another one after each `cdc up`. The
    password is left out."""
    with connect(services().database_url) as connection:
        found = cdc_config(connection, services().owner_url, settings().topic_partitions)
    print_json({"name": CONNECTOR, "config": {**found, "database.password": "${env:EVENTLIB_CDC_PASSWORD}"}})


def _connect() -> EmbeddedConnect:
    return EmbeddedConnect(settings().state_dir)
