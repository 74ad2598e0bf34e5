"""Bulk load: whole histories through COPY, for imports and migrations, behind the same checks as an append."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from eventlib.aggregate import Aggregate
from eventlib.errors import ConcurrencyError, DuplicateEvent, InvalidEvent
from eventlib.events import Event, Metadata
from eventlib.store.connection import Connection
from eventlib.store.encoded_events import encoded_events
from eventlib.store.queries import query

_BUFFER_BYTES = 16 * 1024
"""Sent at a time: little enough for the server to work on it while the next is encoded."""

_KEY = re.compile(r"\(([0-9a-f-]{36}), ([0-9]+)\)")


@dataclass(frozen=True)
class Stream:
    """Events to be added to one aggregate; the arguments of `Store.append`."""

    aggregate_id: UUID
    expected_version: int
    events: Sequence[Event]
    metadata: Metadata | Sequence[Metadata]


def bulk_load(
    connection: Connection, aggregate: Aggregate[Any, Any], streams: Iterable[Stream], *, publish: bool
) -> int:
    """Append many streams in one transaction: all of them, or nothing.

    Args:
        streams: taken one by one, so that they need not be in memory together.
        publish: whether the events go to the outbox too, in the same transaction, and from there to Kafka. False is for
            history that everybody else has by another way; the read models then come from a rebuild.

    Returns:
        The number of events.

    Raises:
        InvalidEvent: an event was refused at the door; nothing was written.
        ConcurrencyError: an aggregate is at another version than expected; nothing was written.
        DuplicateEvent: an aggregate has an event with the id of one of these already; nothing was written.
    """
    continued: list[tuple[UUID, int]] = []
    loaded = 0

    def lines() -> Iterator[bytes]:
        nonlocal loaded
        for stream in streams:
            if stream.expected_version:
                continued.append((stream.aggregate_id, stream.expected_version))
            loaded += len(stream.events)
            yield from _lines(aggregate, stream)

    try:
        with connection.transaction():
            written = connection.execute(query("bulk_position")).fetchall()[0][0]
            with connection.cursor().copy(query("bulk_load")) as copy:
                for block in _blocks(lines()):
                    copy.write(block)
            _check_continued(connection, aggregate, continued)
            if publish:
                connection.execute(query("bulk_queue"), {"after": written})
    except psycopg.errors.UniqueViolation as error:
        if "event_id" in (error.diag.constraint_name or ""):
            raise DuplicateEvent(
                f"{aggregate.name}: an event with this id is in its stream already: {error.diag.message_detail}"
            ) from None
        place = _KEY.search(error.diag.message_detail or "")
        if place is None:
            raise
        aggregate_id, version = UUID(place[1]), int(place[2])
        actual = connection.execute(query("version"), {"aggregate_id": aggregate_id}).fetchone()
        # Nothing there means that the same version came twice in what was to be loaded.
        raise ConcurrencyError(aggregate_id, version - 1, actual[0] if actual else version) from None
    return loaded


def _check_continued(
    connection: Connection, aggregate: Aggregate[Any, Any], continued: Sequence[tuple[UUID, int]]
) -> None:
    """Streams that were there before must have ended where these go on. A version that is there twice fails earlier."""
    gaps = connection.execute(
        query("bulk_gaps"),
        {
            "aggregate_ids": [aggregate_id for aggregate_id, _ in continued],
            "versions": [version for _, version in continued],
        },
    )
    for aggregate_id, version, found_type, in_order in gaps:
        if found_type is not None and not in_order:
            # It came while these were written, or stood after them among them: readers would see the later one first.
            raise ConcurrencyError(aggregate_id, version, version - 1)
        if found_type is None:
            before = connection.execute(
                query("version_below"), {"aggregate_id": aggregate_id, "version": version}
            ).fetchone()
            raise ConcurrencyError(aggregate_id, version, before[0] if before else 0)
        if found_type != aggregate.name:
            raise InvalidEvent(
                f"{aggregate_id} is a stream of aggregate {found_type}; events of {aggregate.name} do not belong there"
            )


def _lines(aggregate: Aggregate[Any, Any], stream: Stream) -> Iterator[bytes]:
    """Lines in the text format of COPY. Encoded JSON has no raw control characters, so only backslashes are escaped."""
    of = f"{stream.aggregate_id}\t{aggregate.name}".encode()
    for one in encoded_events(aggregate, stream.aggregate_id, stream.expected_version, stream.events, stream.metadata):
        data, about = bytes(one.event_data), bytes(one.metadata)
        if b"\\" in data:
            data = data.replace(b"\\", rb"\\")
        if b"\\" in about:
            about = about.replace(b"\\", rb"\\")
        yield b"%b\t%b\t%b\t%b\t%b\t%d\t%d\n" % (
            one.event_id.encode(),
            of,
            one.event_type.encode(),
            data,
            about,
            one.version,
            one.schema_version,
        )


def _blocks(lines: Iterable[bytes]) -> Iterator[bytes]:
    block: list[bytes] = []
    size = 0
    for line in lines:
        block.append(line)
        size += len(line)
        if size >= _BUFFER_BYTES:
            yield b"".join(block)
            block.clear()
            size = 0
    yield b"".join(block)
