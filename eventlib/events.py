"""The vocabulary of the log: an event as it is written, its metadata, and an event as it was recorded."""

from __future__ import annotations

import functools
import ipaddress
import re
from datetime import UTC, datetime
from typing import ClassVar, Generic, TypeVar
from uuid import UUID

import msgspec

from eventlib.errors import InvalidEvent

_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Base of all events: an immutable fact, named after its class.

    Subclass it with typed fields. Money is integer minor units; a field that could hold a float is refused when the
    aggregate is declared. A changed set of fields is a new `schema_version` of the same event.
    """

    schema_version: ClassVar[int] = 1


class Metadata(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """Who did it, with what, why, and as a consequence of which command.

    Attributes:
        command_id: the command that this event answers; the ids of its events derive from it.
        correlation_id: the conversation that the command belongs to, across aggregates and services.
        causation_id: the event or command that led to the command, if any.
        actor: who acted, such as `customer 7f3c` or `carrier`.
        reason: why, in the actor's words.
        device: with what, such as `iOS 17.4`.
        ip: the network that it came from. An address is cut to its network (/24, /48) before it is ever stored.
        occurred_at: when it happened in the world, in UTC. When it was recorded is the store's business, not the writer's.
        traceparent: the trace that the command belongs to, if it is traced (W3C Trace Context, version 00).
    """

    command_id: UUID
    correlation_id: UUID
    actor: str
    causation_id: UUID | None = None
    reason: str | None = None
    device: str | None = None
    ip: str | None = None
    occurred_at: datetime | None = None
    traceparent: str | None = None

    def __post_init__(self) -> None:
        if self.ip is None and self.occurred_at is None and self.traceparent is None:
            return  # most have none of them, and this runs for every event that is read
        if self.traceparent is not None and not _is_traceparent(self.traceparent):
            raise InvalidEvent(f"metadata.traceparent is not one of version 00: {self.traceparent!r}")
        if self.ip is not None:
            if not isinstance(self.ip, str):
                raise InvalidEvent(f"metadata.ip is not a text: {self.ip!r}")
            msgspec.structs.force_setattr(self, "ip", _network_of(self.ip))
        if self.occurred_at is not None:
            if not isinstance(self.occurred_at, datetime):
                raise InvalidEvent(f"metadata.occurred_at is not a time: {self.occurred_at!r}")
            if self.occurred_at.tzinfo is None:
                raise InvalidEvent(f"metadata.occurred_at {self.occurred_at} has no time zone: give it in UTC")
            try:
                msgspec.structs.force_setattr(self, "occurred_at", self.occurred_at.astimezone(UTC))
            except OverflowError:
                raise InvalidEvent(f"metadata.occurred_at {self.occurred_at} does not exist in UTC") from None


def _is_traceparent(text: object) -> bool:
    return isinstance(text, str) and _TRACEPARENT.fullmatch(text) is not None


@functools.lru_cache(maxsize=10_000)
def _network_of(address: str) -> str:
    """Redact an address to its network.

    >>> _network_of("203.0.113.77"), _network_of("2001:db8:1:2::3"), _network_of("203.0.113.0/24")
    ('203.0.113.0/24', '2001:db8:1::/48', '203.0.113.0/24')
    """
    try:
        interface = ipaddress.ip_interface(address)
    except ValueError as error:
        raise InvalidEvent(f"metadata.ip is not an address: {error}") from None
    if isinstance(interface, ipaddress.IPv6Interface):
        # Some IPv6 addresses carry a whole IPv4 address within the first 48 bits, or nothing else that matters.
        inner = interface.ip.sixtofour or interface.ip.ipv4_mapped or (interface.ip.teredo or (None, None))[1]
        if inner is not None:
            return _network_of(str(inner))
    kept = min(interface.network.prefixlen, 24 if interface.version == 4 else 48)
    return str(ipaddress.ip_network((interface.ip, kept), strict=False))


E = TypeVar("E", bound=Event)


class Stored(msgspec.Struct, frozen=True, gc=False):
    """An event as the log holds it: neither decoded nor upcast.

    Attributes:
        event_id: unique in its aggregate.
        aggregate_id: the stream that it belongs to.
        aggregate_type: the name of that stream's aggregate.
        event_type: the name that it was written under.
        schema_version: the shape that it was written in.
        data: its fields, as PostgreSQL renders the stored jsonb.
        metadata: likewise.
        version: its place in the stream, 1..n without a gap.
        position: its place in the whole log; positions have gaps and do not follow the order of commits.
        recorded_at: when its transaction began, in UTC, by the database's clock. It never decides an order.
    """

    event_id: UUID
    aggregate_id: UUID
    aggregate_type: str
    event_type: str
    schema_version: int
    data: str
    metadata: str
    version: int
    position: int
    recorded_at: datetime


class Recorded(msgspec.Struct, Generic[E], frozen=True, gc=False, array_like=True):
    """A stored event, in today's shape.

    Attributes:
        event_id, aggregate_id, aggregate_type, version, position, recorded_at: as stored.
        event: what happened.
        metadata: who, with what, why.
        upcast_from: the type and schema version that it was written in, such as `OrderCancelled 1`, if that is an old shape.
        part: its index among the events that one stored event stands for; 0 unless an upcaster made several of it.
    """

    event_id: UUID
    aggregate_id: UUID
    aggregate_type: str
    version: int
    position: int
    recorded_at: datetime
    event: E
    metadata: Metadata
    upcast_from: str | None = None
    part: int = 0

    @property
    def occurred_at(self) -> datetime:
        """When it happened in the world, in UTC: what the writer said, else when it was recorded."""
        return self.metadata.occurred_at or self.recorded_at
