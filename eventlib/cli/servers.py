"""`eventlib up | status | down | init`: the servers and the schema."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table

from eventlib.cli.context import services, settings
from eventlib.cli.output import notes, print_json, progress, results
from eventlib.embedded.connect import EmbeddedConnect
from eventlib.embedded.service import ServiceStatus
from eventlib.errors import EventlibError, MigrationError
from eventlib.orders.projections import PROJECTIONS
from eventlib.pipeline.backlog import Backlog, backlog
from eventlib.projections.tables import ensure_tables
from eventlib.services import Part
from eventlib.store.connection import connect
from eventlib.store.epochs import begin_epoch
from eventlib.store.migrations import migrate, pending_migrations, store_partitions
from eventlib.streaming.clients import reach

app = typer.Typer()

Only = Annotated[list[Part] | None, typer.Option("--only", help="This server alone; may be given twice.")]


@app.command()
def up(only: Only = None) -> None:
    """Start PostgreSQL and Kafka, unless they run already or the settings name your own, and bring the schema up to date."""
    start(only or list(Part))


def start(parts: Sequence[Part]) -> list[Part]:
    """Start servers and the schema, with a progress bar; those that were not running before."""
    started: list[Part] = []
    with progress() as bar:
        task = bar.add_task("starting servers", total=len(parts))
        for part in parts:
            server = services().server(part)
            bar.update(task, description=f"starting {part}")
            before = server.status()
            after = server.start()
            if after.embedded and before.health != "healthy":
                started.append(part)
            notes.print(f"{after.name}: {after.detail}")
            bar.advance(task)
    if Part.POSTGRES in parts:
        _migrate()
    return started


@app.command()
def down(only: Only = None) -> None:
    """Stop the embedded servers. Their data stays."""
    if only is None:
        EmbeddedConnect(settings().state_dir).stop()
    # Kafka first: what publishes to it keeps its state in PostgreSQL.
    for part in reversed(only or list(Part)):
        stopped = services().server(part).stop()
        notes.print(f"{part}: {'stopped' if stopped else 'was not running, or is your own'}")


@app.command()
def init(
    partitions: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Hash partitions of event_store; fixed once and for ever.")
    ] = None,
) -> None:
    """Create or update the schema in the configured database."""
    _migrate(partitions)


def _migrate(partitions: int | None = None) -> None:
    with connect(services().owner_url) as connection:
        applied = migrate(connection, partitions or settings().store_partitions)
        epoch = begin_epoch(connection)
        made = ensure_tables(connection, PROJECTIONS)
        actual = store_partitions(connection)
    if epoch is not None:
        notes.print(f"log: it has come from another server or timeline; epoch {epoch} begins")
    for migration in applied:
        notes.print(f"schema: applied {migration.number:04}_{migration.name}")
    for name in made:
        notes.print(f"schema: made the table of projection {name}")
    if partitions not in (None, actual):
        raise MigrationError(f"event_store has {actual} partitions, for ever; {partitions} would need a new database")


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for scripts.")] = False) -> None:
    """How the servers and the schema are, and what is left to do. Exit code 0 if all is healthy, else 1."""
    parts: list[ServiceStatus | SchemaStatus] = [services().server(part).status() for part in Part]
    postgres, kafka = parts
    parts.append(_schema_status(postgres.health == "healthy"))
    healthy = all(part.health == "healthy" for part in parts)
    left = _backlog() if healthy else None
    if as_json:
        print_json(
            {
                "database_url": getattr(postgres, "address", None),
                "kafka_bootstrap": getattr(kafka, "address", None),
                "state_dir": str(settings().state_dir),
                "parts": [dataclasses.asdict(part) for part in parts],
                "backlog": left and dataclasses.asdict(left),
            }
        )
    else:
        table = Table("part", "health", "detail", box=None)
        for part in parts:
            table.add_row(part.name, part.health, part.detail)
        results.print(table)
        results.print(f"left to do: {left or 'unknown until all is healthy'}")
    raise typer.Exit(0 if healthy else 1)


@dataclasses.dataclass(frozen=True)
class SchemaStatus:
    """How the schema is, in the terms of `ServiceStatus`."""

    health: str
    detail: str
    name: str = "schema"


def _schema_status(reachable: bool) -> SchemaStatus:
    if not reachable:
        return SchemaStatus("stopped", "cannot be seen without PostgreSQL")
    try:
        with connect(services().database_url) as connection:
            pending = pending_migrations(connection)
    except EventlibError as error:
        return SchemaStatus("broken", str(error))
    if pending:
        return SchemaStatus("broken", f"{len(pending)} migrations are to be applied: run `eventlib init`")
    return SchemaStatus("healthy", "up to date")


def _backlog() -> Backlog:
    with connect(services().database_url) as connection:
        return backlog(connection, reach(services().kafka), PROJECTIONS)
