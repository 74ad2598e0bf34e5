"""Scan of whole streams: every event of an aggregate type in a partition of the log, stream by stream, each in order."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Generator, Sequence
from typing import Any
from uuid import UUID

import msgspec
from psycopg import sql

from eventlib.aggregate import Aggregate, Row
from eventlib.errors import CorruptStream
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


def scan_stream_events(
    connection: Connection, aggregate: Aggregate[Any, Any], partition: str
) -> Generator[tuple[UUID, int, int, Sequence[Event]], None, None]:
    """Of the same the events alone, with the versions of the first and the last stored one.

    Raises:
        CorruptStream: a version between them is missing.
        UnreadableEvent, msgspec.DecodeError: an event cannot be decoded.
    """
    decode = _decoder_of(aggregate.events)
    for aggregate_id, line in _lines(connection, "scan_stream_events", aggregate, partition):
        first_text, last_text, document = line.split(b"\t", 2)
        first, last = int(first_text), int(last_text)
        events: Sequence[Event]
        try:
            events = [one.event for one in decode(document)]
            number = len(events)
        except msgspec.ValidationError:  # an old shape, or none at all
            stored = _decode_stored(document)
            number = len(stored)
            events = [
                event
                for version, one in enumerate(stored, first)
                for event in aggregate.events_of(one.row(version), aggregate_id)
            ]
        if number != last - first + 1:
            raise CorruptStream(f"{aggregate_id} lacks versions between {first} and {last}")
        yield aggregate_id, first, last, events


class _Stored(msgspec.Struct, array_like=True):
    """An element of the JSON array of `sql/queries/scan_stream_events.sql`."""

    kind: str
    data: msgspec.Raw
    metadata: msgspec.Raw = msgspec.Raw()

    def row(self, version: int) -> Row:
        event_type, _, schema_version = self.kind.rpartition(" ")
        return event_type, int(schema_version), bytes(self.data), bytes(self.metadata), version


_decode_stored = msgspec.json.Decoder(list[_Stored]).decode


@functools.cache
def _decoder_of(aggregate_events: tuple[type[Event], ...]) -> Callable[[bytes], list[Any]]:
    """What makes events of such an array in one call, if all are of today's shapes: half the time of one call for each."""
    shapes = [
        msgspec.defstruct(
            kind.__name__, [("event", kind)], array_like=True, tag=f"{kind.__name__} {kind.schema_version}", gc=False
        )
        for kind in aggregate_events
    ]
    any_of_them: Any = functools.reduce(operator.or_, shapes)
    return msgspec.json.Decoder(list[any_of_them]).decode


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
