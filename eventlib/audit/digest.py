"""A digest of the events that were read: two reports with the same one were made of the same data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from eventlib.events import Stored

_encode = msgspec.json.Encoder().encode


def digest_of(events: Iterable[Stored]) -> str:
    """SHA-256, in hex, over each event as it is stored, in the order given, whatever shape it is read in.

    It shows that two readings were alike. It does not show that nobody changed the events before both.
    """
    hashed = hashlib.sha256(b"eventlib.audit.digest/2\n")
    for stored in events:
        hashed.update(_encode(msgspec.structs.astuple(stored)) + b"\n")
    return hashed.hexdigest()
