"""The door of the store: every check that needs no database, the same for an append and for a bulk load."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from eventlib.aggregate import Aggregate
from eventlib.codec import encode_event, encode_metadata
from eventlib.errors import InvalidEvent
from eventlib.events import Event, Metadata
from eventlib.store.event_ids import event_id_in

MAX_VERSION = 2**31 - 1
"""PostgreSQL's largest integer, the type of `version`."""


class EncodedEvent(msgspec.Struct):
    """One event as `sql/queries/append.sql` takes it."""

    event_id: str
    event_type: str
    event_data: msgspec.Raw
    metadata: msgspec.Raw
    version: int
    schema_version: int


def encoded_events(
    aggregate: Aggregate[Any, Any],
    aggregate_id: UUID,
    expected_version: int,
    events: Sequence[Event],
    metadata: Metadata | Sequence[Metadata],
) -> list[EncodedEvent]:
    """Events that are fit to be written, with the versions that follow the expected one.

    Raises:
        InvalidEvent: an event is not the aggregate's, does not encode strictly, or the expected version is impossible.
    """
    if type(aggregate_id) is not UUID:
        raise InvalidEvent(f"the id of {aggregate.name} is not a UUID: {aggregate_id!r}")
    if not events:
        raise InvalidEvent(f"an append to {aggregate.name} {aggregate_id} has no events")
    if type(expected_version) is not int or not 0 <= expected_version <= MAX_VERSION - len(events):
        raise InvalidEvent(
            f"the expected version of {aggregate.name} {aggregate_id} is impossible: {expected_version!r}"
        )
    if isinstance(metadata, Metadata):
        encoded = msgspec.Raw(encode_metadata(metadata))
        described = [(metadata.command_id, encoded)] * len(events)
    elif len(metadata) == len(events):
        described = [(one.command_id, msgspec.Raw(encode_metadata(one))) for one in metadata]
    else:
        raise InvalidEvent(f"{len(events)} events with {len(metadata)} metadata: give one for all, or one for each")
    rows = []
    rendered_id = str(aggregate_id)
    ordinals: defaultdict[UUID, itertools.count[int]] = defaultdict(itertools.count)
    for version, (event, (command_id, about)) in enumerate(zip(events, described), start=expected_version + 1):
        if type(event) not in aggregate.kinds:
            raise InvalidEvent(f"{type(event).__name__} is not an event of aggregate {aggregate.name}")
        rows.append(
            EncodedEvent(
                event_id=event_id_in(rendered_id, command_id, next(ordinals[command_id])),
                event_type=type(event).__name__,
                event_data=msgspec.Raw(encode_event(event)),
                metadata=about,
                version=version,
                schema_version=event.schema_version,
            )
        )
    return rows


_encode_rows = msgspec.json.Encoder().encode


def append_parameters(
    aggregate: Aggregate[Any, Any],
    aggregate_id: UUID,
    expected_version: int,
    events: Sequence[Event],
    metadata: Metadata | Sequence[Metadata],
) -> dict[str, object]:
    """The parameters of `sql/queries/append.sql`. Raises what `encoded_events` raises."""
    return {
        "aggregate_id": aggregate_id,
        "aggregate_type": aggregate.name,
        "expected_version": expected_version,
        "events": _encode_rows(encoded_events(aggregate, aggregate_id, expected_version, events, metadata)).decode(),
    }
