"""The catalogue of an aggregate's events: every type in every shape that the log may hold. Pure."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

from eventlib.aggregate import Aggregate
from eventlib.events import Event


class BecomesToday(msgspec.Struct, frozen=True):
    """An event that an old shape's example is read as."""

    event_type: str
    schema_version: int
    example: Any


class CatalogEntry(msgspec.Struct, frozen=True):
    """One shape of one event type.

    Attributes:
        event_type: the name that it is, or was, written under.
        schema_version: of the shape.
        description: what it means; of an old shape, what has changed since.
        json_schema: JSON Schema (2020-12) of a shape of today; None of an old one, whose class is gone.
        example: its fields as JSON values; None when the aggregate declares no example.
        becomes: of an old shape, what its example is read as; empty for a shape of today.
    """

    event_type: str
    schema_version: int
    description: str
    json_schema: Any
    example: Any
    becomes: tuple[BecomesToday, ...] = ()

    @property
    def is_old(self) -> bool:
        """Whether new events are no longer written in this shape."""
        return bool(self.becomes)


def catalog(aggregate: Aggregate[Any, Any]) -> list[CatalogEntry]:
    """Every shape of every event of an aggregate, in the order of declaration, the old shapes of a type before today's."""
    examples = {type(example): msgspec.to_builtins(example) for example in aggregate.examples}
    old = [
        CatalogEntry(
            upcaster.event_type,
            upcaster.schema_version,
            inspect.getdoc(upcaster.upcast) or "",
            None,
            dict(upcaster.example),
            tuple(
                BecomesToday(type(event).__name__, event.schema_version, msgspec.to_builtins(event))
                for event in aggregate.upcast_example(upcaster)
            ),
        )
        for upcaster in aggregate.upcasters
    ]
    today = [
        CatalogEntry(
            kind.__name__, kind.schema_version, _description(kind), msgspec.json.schema(kind), examples.get(kind)
        )
        for kind in aggregate.events
    ]
    names = list(dict.fromkeys([entry.event_type for entry in [*today, *old]]))
    return sorted([*today, *old], key=lambda entry: (names.index(entry.event_type), entry.schema_version))


def _description(kind: type[Event]) -> str:
    # A class without a docstring of its own would show the one of its base.
    return inspect.cleandoc(kind.__dict__.get("__doc__") or "")
