"""Upcasting: how a document in an old shape becomes events of today, at read time. Pure; what is stored never changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from eventlib.events import Metadata


class Document(msgspec.Struct, frozen=True):
    """An event in some shape of it: its type, the schema version of that shape, and its fields as JSON values."""

    event_type: str
    schema_version: int
    fields: dict[str, Any]


class Context(msgspec.Struct, frozen=True):
    """What is known of a stored event beside its fields, for fields that newer shapes have and older ones lacked."""

    aggregate_id: UUID
    version: int
    metadata: Metadata


@dataclass(frozen=True)
class Upcaster:
    """One step from an old shape of one event type towards today's.

    Attributes:
        event_type: that it takes; the class of that name may be gone.
        schema_version: that it takes.
        upcast: `(fields, context) -> documents`: one document, or several when one old event stands for several new ones,
            in the order in which they are to be folded; each in a shape of today or one that a further upcaster takes. Pure:
            the same stored event must come out the same for ever.
        example: fields in the old shape. It is tried when the aggregate is declared, and shown in the catalogue.
    """

    event_type: str
    schema_version: int
    upcast: Callable[[dict[str, Any], Context], Sequence[Document]]
    example: Mapping[str, Any]
