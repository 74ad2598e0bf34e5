"""Snapshots: folded states that shorten a load. A load with one equals a load without; one that would not is not used."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from eventlib.aggregate import Aggregate, S
from eventlib.codec import decoder_for
from eventlib.errors import CorruptSnapshot, SnapshotRefused
from eventlib.store.connection import Connection
from eventlib.store.queries import query

KEEP = 2
"""Snapshots that are kept of an aggregate: the newest, and one to fall back to."""

State = TypeVar("State")

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Loaded(Generic[State]):
    """A state and the version that it belongs to; version 0 when the aggregate has no events."""

    state: State
    version: int


def checksum(
    aggregate: Aggregate[Any, Any], aggregate_id: UUID, version: int, event_id: UUID, position: int, state: bytes
) -> bytes:
    """SHA-256 over everything that a snapshot claims, each field with its length, so that none can pass into another."""
    hashed = hashlib.sha256(b"eventlib.snapshot/2")
    for field in (
        aggregate.name.encode(),
        aggregate.state_schema.encode(),
        aggregate_id.bytes,
        version.to_bytes(4),
        event_id.bytes,
        position.to_bytes(8),
        state,
    ):
        hashed.update(len(field).to_bytes(8))
        hashed.update(field)
    return hashed.digest()


def restored(
    aggregate: Aggregate[S, Any],
    aggregate_id: UUID,
    version: int,
    event_id: UUID,
    position: int,
    encoded: str,
    sha256: bytes,
) -> S:
    """The state in a snapshot.

    Raises:
        CorruptSnapshot: it is not what was once written.
    """
    if checksum(aggregate, aggregate_id, version, event_id, position, encoded.encode()) != sha256:
        raise CorruptSnapshot(f"the snapshot of {aggregate.name} {aggregate_id} at version {version} was changed")
    try:
        state: S = decoder_for(aggregate.initial)(encoded)
        return state
    except msgspec.MsgspecError as error:
        raise CorruptSnapshot(
            f"the snapshot of {aggregate.name} {aggregate_id} at version {version} cannot be decoded: {error}"
        ) from None


def save_snapshot(
    connection: Connection, aggregate: Aggregate[S, Any], aggregate_id: UUID, loaded: Loaded[S], keep: int = KEEP
) -> None:
    """Keep a state as a snapshot, and forget all but the newest of its aggregate.

    Args:
        loaded: as `Store.load` gives it; of version 1 or more.
        keep: snapshots of the aggregate that stay, at least 1.

    Raises:
        SnapshotRefused: the state would not come back from JSON as it is, or the log has no such version.
    """
    place = f"{aggregate.name} {aggregate_id} at version {loaded.version}"
    try:
        state = _encode(loaded.state)
        same = decoder_for(aggregate.initial)(state) == loaded.state
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise SnapshotRefused(f"the state of {place} cannot be written as JSON: {error}") from None
    if not same:
        raise SnapshotRefused(f"the state of {place} reads back as something else than was written")
    last = connection.execute(
        query("event_of_version"), {"aggregate_id": aggregate_id, "version": loaded.version}
    ).fetchone()
    if last is None:
        raise SnapshotRefused(f"the log has no {place}")
    with connection.transaction():
        connection.execute(
            query("snapshot_write"),
            {
                "aggregate_id": aggregate_id,
                "aggregate_type": aggregate.name,
                "version": loaded.version,
                "event_id": last[0],
                "position": last[1],
                "state_schema": aggregate.state_schema,
                "state": state.decode(),
                "sha256": checksum(aggregate, aggregate_id, loaded.version, last[0], last[1], state),
            },
        )
        connection.execute(query("snapshot_retain"), {"aggregate_id": aggregate_id, "keep": keep})
