"""What eventlib has to know of an aggregate: its events, its empty state, and the two pure functions that move it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from eventlib.codec import decoder_for, refuse_imprecise_fields
from eventlib.errors import InvalidEvent, UnreadableEvent
from eventlib.events import Event

S = TypeVar("S", bound=msgspec.Struct)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
C = TypeVar("C")


@dataclass(frozen=True)
class Aggregate(Generic[S, C]):
    """An aggregate in the sense of domain-driven design: one consistency boundary, one stream of events.

    The shape of the two functions is the Decider of J. Chassaing ("Functional Event Sourcing Decider", 2021).

    Attributes:
        name: the `aggregate_type` in the store; its events go to the topic `<name>.events`.
        initial: the state's class; called without arguments it makes the state before the first event.
        decide: `(state, command) -> events`; raises `DomainError` when the command is illegal in that state.
        evolve: `(state, event) -> state`; total over all events of the aggregate and never raises.
        events: every event class of the aggregate; `kinds` has the same as a set.

    Raises:
        InvalidEvent: two events share a name, a name is not allowed, or a field could hold what jsonb would change.
    """

    name: str
    initial: type[S]
    decide: Callable[[S, C], Sequence[Event]]
    evolve: Callable[[S, Any], S]
    events: tuple[type[Event], ...]
    kinds: frozenset[type[Event]] = field(init=False, repr=False, compare=False)
    _decoders: dict[tuple[str, int], Callable[[str | bytes], Event]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # It names a topic as well. Kafka would allow a dot, but takes a dot and an underscore for the same in some places.
        if not _NAME.fullmatch(self.name):
            raise InvalidEvent(f"an aggregate's name is made of 1 to 128 letters, digits, _ and -: {self.name!r}")
        names = [kind.__name__ for kind in self.events]
        if len(set(names)) < len(names):
            raise InvalidEvent(f"two events of aggregate {self.name} share a name: {sorted(names)}")
        for kind in self.events:
            if len(kind.__name__) > 256:
                raise InvalidEvent(f"an event's name has at most 256 characters: {kind.__name__}")
            refuse_imprecise_fields(kind)
        decoders = {(kind.__name__, kind.schema_version): decoder_for(kind) for kind in self.events}
        object.__setattr__(self, "kinds", frozenset(self.events))
        object.__setattr__(self, "_decoders", decoders)

    def decode(self, event_type: str, schema_version: int, data: str | bytes) -> Event:
        """Decode the JSON of one stored event.

        Raises:
            UnreadableEvent: this code knows no such event or version, or the document does not fit it.
        """
        try:
            return self._decoders[event_type, schema_version](data)
        except KeyError:
            raise UnreadableEvent(
                f"aggregate {self.name} has no event {event_type} in schema version {schema_version}: "
                "it was written by newer code, or belongs to another aggregate"
            ) from None
        except msgspec.MsgspecError as error:
            raise UnreadableEvent(
                f"{event_type} (schema version {schema_version}) cannot be decoded: {error}"
            ) from None

    def fold(self, events: Iterable[Event], state: S | None = None) -> S:
        """The state after `events`, starting from `state` or from the initial one."""
        evolve = self.evolve
        folded = self.initial() if state is None else state
        for event in events:
            folded = evolve(folded, event)
        return folded
