"""`eventlib events catalog | verify`: what may be in the log, and whether all that is there can be read."""

from __future__ import annotations

import json
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from eventlib.catalog import CatalogEntry, catalog
from eventlib.cli.context import opened_store
from eventlib.cli.output import notes, print_json, progress, results
from eventlib.orders import ORDER
from eventlib.store.readability import check_readability

app = typer.Typer(name="events", help="What may be in the log, and whether it can be read.", no_args_is_help=True)

SHOWN = 10

Json = Annotated[bool, typer.Option("--json", help="One JSON object, for scripts.")]


@app.command(name="catalog")
def show_catalog(
    event_type: Annotated[str | None, typer.Argument(metavar="[TYPE]", help="This event in full.")] = None,
    as_json: Json = False,
) -> None:
    """List every event type with its schema versions, what old ones are read as, JSON Schema and an example."""
    entries = [entry for entry in catalog(ORDER) if event_type in (None, entry.event_type)]
    if not entries:
        known = ", ".join(dict.fromkeys(entry.event_type for entry in catalog(ORDER)))
        raise typer.BadParameter(f"there is no event {event_type}; there are {known}")
    if as_json:
        print_json({"aggregate": ORDER.name, "events": [msgspec.to_builtins(entry) for entry in entries]})
    elif event_type is not None:
        for entry in entries:
            _show_in_full(entry)
    else:
        table = Table("event", "version", "example", "read as", box=None)
        for entry in entries:
            read_as = ", ".join(f"{one.event_type} {one.schema_version}" for one in entry.becomes)
            table.add_row(entry.event_type, str(entry.schema_version), _line(entry.example), read_as)
        results.print(table)
        notes.print("`eventlib events catalog TYPE` shows an event in full, with its JSON Schema")


@app.command()
def verify(as_json: Json = False) -> None:
    """Read every event of the log in today's shape: nothing that was ever written may stop being readable.

    Exit code 0 if all can be read, 1 if one cannot. To be run with new code before it is let at the log.
    """
    with opened_store() as store, progress() as bar:
        task = bar.add_task("reading events", total=None)
        result = check_readability(store.connection, [ORDER], lambda events: bar.advance(task, events))
    if as_json:
        print_json(msgspec.to_builtins(result))
    else:
        shapes = Table("event", "version", "events", "", box=None)
        for shape, number in sorted(result.shapes.items()):
            name, version = shape.rsplit(" ", 1)
            shapes.add_row(name, version, f"{number:,}", "an old shape" if shape in result.old_shapes else "")
        results.print(shapes)
        results.print(f"{result.readable:,} of {result.events:,} events can be read")
    for problem in result.problems[:SHOWN]:
        notes.print(problem)
    if result.readable < result.events:
        raise typer.Exit(1)


def _show_in_full(entry: CatalogEntry) -> None:
    results.print(f"{entry.event_type}, schema version {entry.schema_version}{' (old)' if entry.is_old else ''}")
    if entry.description:
        results.print(f"  {' '.join(entry.description.split())}")
    results.print(f"  example: {_line(entry.example)}")
    for one in entry.becomes:
        results.print(f"  read as: {one.event_type} {one.schema_version} {_line(one.example)}")
    if entry.json_schema is not None:
        results.print(f"  schema: {_line(entry.json_schema)}")


def _line(document: Any) -> str:
    return "" if document is None else json.dumps(document, ensure_ascii=False)
