"""Scan of whole streams: every event of an aggregate type in a partition of the log, stream by stream, each in order."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any
from uuid import UUID

import msgspec
from psycopg import sql

from eventlib.aggregate import Aggregate, Row
from eventlib.events import Event, Recorded, Stored
from eventlib.store.connection import Connection
from eventlib.store.queries import query
from eventlib.store.scan import event_decoders, stored_event

EVENTS, FIELDS = b"\x1e", b"\x1f"


def scan_streams(
    connection: Connection, aggregate: Aggregate[Any, Any], partition: str
) -> Generator[tuple[UUID, list[Recorded[Event]]], None, None]:
    """The events of each stream in today's shape, up to a thousand stored ones at a time.

    The connection is busy until the last one, or until the generator is closed. Memory does not grow with the partition.

    Raises:
        UnreadableEvent: an event cannot be decoded.
    """
    decoders = event_decoders({aggregate.name: aggregate})
    for aggregate_id, line in _lines(connection, "scan_streams", aggregate, partition):
        events: list[Recorded[Event]] = []
        for event in line.split(EVENTS):
            event_type, schema_version, row = event.split(FIELDS, 2)
            decode = decoders.get((event_type, schema_version))
            try:
                if decode is not None:
                    events.append(decode(row))
                    continue
            except msgspec.MsgspecError:
                pass  # what is wrong with it, and where it is, comes to light below
            events += aggregate.recorded(stored_event(event_type, schema_version, row))
        yield aggregate_id, events


def scan_streams_stored(
    connection: Connection, aggregate: Aggregate[Any, Any], partition: str
) -> Generator[tuple[UUID, list[Stored]], None, None]:
    """The same as they are stored: for who has to get past those that cannot be read."""
    for aggregate_id, line in _lines(connection, "scan_streams", aggregate, partition):
        yield aggregate_id, [stored_event(*event.split(FIELDS, 2)) for event in line.split(EVENTS)]


def scan_stream_rows(
    connection: Connection, aggregate: Aggregate[Any, Any], partition: str
) -> Generator[tuple[UUID, list[Row]], None, None]:
    """Of the same no more than `Aggregate.fold_rows` needs."""
    kinds: dict[bytes, tuple[str, int]] = {}
    for aggregate_id, line in _lines(connection, "scan_stream_rows", aggregate, partition):
        rows: list[Row] = []
        for event in line.split(EVENTS):
            event_type, schema_version, version, data, metadata = event.split(FIELDS)
            try:
                kind = kinds[event_type + schema_version]
            except KeyError:
                kind = kinds[event_type + schema_version] = (event_type.decode(), int(schema_version))
            rows.append((*kind, data, metadata, int(version)))
        yield aggregate_id, rows


def _lines(
    connection: Connection, name: str, aggregate: Aggregate[Any, Any], partition: str
) -> Generator[tuple[UUID, bytes], None, None]:
    # Neither identifiers nor what COPY selects can be bound; these are quoted.
    statement = sql.SQL(query(name)).format(
        partition=sql.Identifier(partition),
        aggregate_type=sql.Literal(aggregate.name),
        upcast_types=sql.Literal(aggregate.upcast_types),
    )
    with connection.cursor().copy(statement) as lines:
        for buffer in lines:
            aggregate_id, events = bytes(buffer).rstrip(b"\n").split(b"\t", 1)
            # JSON has no raw control characters, so COPY has escaped nothing but its backslashes.
            yield UUID(aggregate_id.decode()), events.replace(b"\\\\", b"\\") if b"\\" in events else events
