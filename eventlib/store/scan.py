"""Scan: every event of the log, typed, as fast as COPY brings them; for work that needs all of them and no order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import sql

from eventlib.aggregate import Aggregate
from eventlib.codec import decoder_for
from eventlib.errors import UnreadableEvent
from eventlib.events import Event, Recorded, Stored
from eventlib.store.connection import Connection
from eventlib.store.queries import query

Decode = Callable[[bytes], Recorded[Event]]


class _Row(msgspec.Struct, array_like=True):
    """The JSON array of `sql/queries/scan.sql`; `Recorded` begins with the same."""

    event_id: UUID
    aggregate_id: UUID
    aggregate_type: str
    version: int
    position: int
    recorded_at: datetime
    data: msgspec.Raw
    metadata: msgspec.Raw


_decode_row = msgspec.json.Decoder(_Row).decode


def partitions(connection: Connection) -> list[str]:
    """The hash partitions of the log: parts that processes can share out among themselves."""
    return [row[0] for row in connection.execute(query("partitions"))]


def scan_stored(connection: Connection, partition: str) -> Iterator[Stored]:
    """The events of one partition, as they are stored, in no order.

    The connection is busy until the last one. Memory does not grow with the partition.
    """
    for event_type, schema_version, row in _rows(connection, partition):
        yield stored_event(event_type, schema_version, row)


def scan_partition(
    connection: Connection, aggregates: Mapping[str, Aggregate[Any, Any]], partition: str
) -> Iterator[Recorded[Event]]:
    """The events of one partition, in today's shape, in no order; otherwise as `scan_stored`.

    Args:
        aggregates: whose events there are, by name.

    Raises:
        UnreadableEvent: an event cannot be decoded, or belongs to an aggregate that is not given.
    """
    decoders = event_decoders(aggregates)
    for event_type, schema_version, row in _rows(connection, partition):
        decode = decoders.get((event_type, schema_version))
        try:
            recorded = decode(row) if decode else None
        except msgspec.MsgspecError:
            recorded = None  # what is wrong with it, and where it is, comes to light below
        if recorded is not None and recorded.aggregate_type in aggregates:
            yield recorded
        else:
            yield from recorded_of(aggregates, stored_event(event_type, schema_version, row))


def recorded_of(aggregates: Mapping[str, Aggregate[Any, Any]], stored: Stored) -> list[Recorded[Event]]:
    """A stored event of any of some aggregates, in today's shape.

    Raises:
        UnreadableEvent: it cannot be decoded, or belongs to none of them.
    """
    aggregate = aggregates.get(stored.aggregate_type)
    if aggregate is None:
        raise UnreadableEvent(
            f"version {stored.version} of {stored.aggregate_type} {stored.aggregate_id} belongs to an aggregate that this "
            f"code does not know: it knows {', '.join(sorted(aggregates)) or 'none'}"
        )
    return aggregate.recorded(stored)


def _rows(connection: Connection, partition: str) -> Iterator[tuple[bytes, bytes, bytes]]:
    # Identifiers cannot be bound; this one is quoted.
    statement = sql.SQL(query("scan")).format(partition=sql.Identifier(partition))
    with connection.cursor().copy(statement) as lines:
        for buffer in lines:
            line = bytes(buffer)
            # JSON has no raw control characters, so COPY has escaped nothing but its backslashes.
            event_type, schema_version, row = (line.replace(b"\\\\", b"\\") if b"\\" in line else line).split(b"\t", 2)
            yield event_type, schema_version, row


def event_decoders(aggregates: Mapping[str, Aggregate[Any, Any]]) -> dict[tuple[bytes, bytes], Decode]:
    """By type and shape; without those that two aggregates call alike, which are told apart row by row."""
    found: dict[tuple[bytes, bytes], list[type[Event]]] = {}
    for aggregate in aggregates.values():
        for kind in aggregate.events:
            found.setdefault((kind.__name__.encode(), str(kind.schema_version).encode()), []).append(kind)
    return {name: _decoder(kinds[0]) for name, kinds in found.items() if len(kinds) == 1}


def _decoder(kind: type[Event]) -> Decode:
    return decoder_for(Recorded[kind])  # type: ignore[valid-type]


def stored_event(event_type: bytes, schema_version: bytes, row: bytes) -> Stored:
    """An event as it is stored, from its type, shape and JSON array."""
    one = _decode_row(row)
    return Stored(
        one.event_id,
        one.aggregate_id,
        one.aggregate_type,
        event_type.decode(),
        int(schema_version),
        bytes(one.data).decode(),
        bytes(one.metadata).decode(),
        one.version,
        one.position,
        one.recorded_at,
    )
