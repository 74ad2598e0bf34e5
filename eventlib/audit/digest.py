"""A digest of the events that were read: two reports with the same one were made of the same data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from eventlib.events import Event, Recorded

_encode = msgspec.json.Encoder(order="deterministic").encode


def digest_of(events: Iterable[Recorded[Event]]) -> str:
    """SHA-256, in hex, over each event's place, identity, time and content, in the order given.

    It shows that two readings were alike. It does not show that nobody changed the events before both.
    """
    hashed = hashlib.sha256(b"eventlib.audit.digest/1\n")
    for recorded in events:
        event = recorded.event
        fields = (
            recorded.version,
            recorded.position,
            recorded.event_id,
            recorded.aggregate_id,
            recorded.recorded_at,
            type(event).__name__,
            event.schema_version,
            event,
            recorded.metadata,
        )
        hashed.update(_encode(fields) + b"\n")
    return hashed.hexdigest()
