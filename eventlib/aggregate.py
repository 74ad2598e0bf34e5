"""What eventlib has to know of an aggregate: its events, its empty state, and the two pure functions that move it."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from eventlib.codec import decoder_for, refuse_imprecise_fields
from eventlib.errors import InvalidEvent, UnreadableEvent
from eventlib.events import Event, Metadata, Recorded, Stored
from eventlib.upcasting import Context, Document, Upcaster

SNAPSHOT_EVERY = 50
"""Events between two snapshots of an aggregate, unless it says otherwise."""

MAX_UPCASTS = 1000
"""Steps from one stored event to events of today, after which the upcasters count as running in a circle."""

S = TypeVar("S", bound=msgspec.Struct)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
C = TypeVar("C")

Row = tuple[str, int, str | bytes, str | bytes | None, int]
"""What a fold needs of a stored event: type, schema version, data, metadata, version."""


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
        upcasters: for every old shape that may be in the log, the step towards today's.
        examples: one instance of each event, for the catalogue.
        state_version: raised whenever `evolve` folds the same events to another state than before, so that no snapshot of
            before is taken for one of today. A changed set of fields of the state is noticed without it.
        snapshot_every: events between two snapshots.
        state_schema: what snapshots of today's state class bear: `state_version`, and a digest of the class's fields.

    Raises:
        InvalidEvent: two events share a name, a name is not allowed, a field could hold what jsonb would change, an
            upcaster takes a shape of today, or its example does not become events of today.
    """

    name: str
    initial: type[S]
    decide: Callable[[S, C], Sequence[Event]]
    evolve: Callable[[S, Any], S]
    events: tuple[type[Event], ...]
    upcasters: tuple[Upcaster, ...] = ()
    examples: tuple[Event, ...] = ()
    state_version: int = 1
    snapshot_every: int = SNAPSHOT_EVERY
    kinds: frozenset[type[Event]] = field(init=False, repr=False, compare=False)
    state_schema: str = field(init=False, repr=False, compare=False)
    _decoders: dict[tuple[str, int], Callable[[str | bytes], Event]] = field(init=False, repr=False, compare=False)
    _upcasters: dict[tuple[str, int], Upcaster] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # It names a topic as well. Kafka would allow a dot, but takes a dot and an underscore for the same in some places.
        if not _NAME.fullmatch(self.name):
            raise InvalidEvent(f"an aggregate's name is made of 1 to 128 letters, digits, _ and -: {self.name!r}")
        if self.snapshot_every < 1:
            raise InvalidEvent(f"aggregate {self.name} wants a snapshot every {self.snapshot_every} events: at least 1")
        names = [kind.__name__ for kind in self.events]
        if len(set(names)) < len(names):
            raise InvalidEvent(f"two events of aggregate {self.name} share a name: {sorted(names)}")
        for kind in self.events:
            if len(kind.__name__) > 256:
                raise InvalidEvent(f"an event's name has at most 256 characters: {kind.__name__}")
            refuse_imprecise_fields(kind)
        decoders = {(kind.__name__, kind.schema_version): decoder_for(kind) for kind in self.events}
        fields = msgspec.json.encode(msgspec.json.schema(self.initial), order="deterministic")
        state_schema = f"{self.state_version}-{hashlib.sha256(fields).hexdigest()[:32]}"
        object.__setattr__(self, "kinds", frozenset(self.events))
        object.__setattr__(self, "state_schema", state_schema)
        object.__setattr__(self, "_decoders", decoders)
        object.__setattr__(self, "_upcasters", {(one.event_type, one.schema_version): one for one in self.upcasters})
        self._try_upcasters()

    @property
    def upcast_types(self) -> list[str]:
        """The event types of which old shapes may be in the log."""
        return sorted({upcaster.event_type for upcaster in self.upcasters})

    @property
    def shapes(self) -> set[tuple[str, int]]:
        """Every type and schema version that this code can read: those of today, and those that are upcast."""
        return {*self._decoders, *self._upcasters}

    def recorded(self, stored: Stored) -> list[Recorded[Event]]:
        """A stored event in today's shape: one event, or several when an upcaster makes several of it.

        Raises:
            UnreadableEvent: this code knows no such event or version, or a document does not fit it.
        """
        kind = (stored.event_type, stored.schema_version)
        events = self.events_of((*kind, stored.data, stored.metadata, stored.version), stored.aggregate_id)
        try:
            metadata = decoder_for(Metadata)(stored.metadata)
        except msgspec.MsgspecError as error:
            raise self._unreadable(stored.aggregate_id, stored.version, kind, error) from None
        upcast_from = None if kind in self._decoders else f"{stored.event_type} {stored.schema_version}"
        return [
            Recorded(
                stored.event_id,
                stored.aggregate_id,
                stored.aggregate_type,
                stored.version,
                stored.position,
                stored.recorded_at,
                event,
                metadata,
                upcast_from,
                part,
            )
            for part, event in enumerate(events)
        ]

    def events_of(self, row: Row, aggregate_id: UUID) -> Sequence[Event]:
        """The same without what is said about the event; metadata are decoded for an upcaster only.

        Raises:
            UnreadableEvent: as `recorded`.
        """
        event_type, schema_version, data, metadata, version = row
        kind = (event_type, schema_version)
        decode = self._decoders.get(kind)
        try:
            if decode is not None:
                return (decode(data),)
            return self._upcast(kind, data, metadata or "", aggregate_id, version)
        except (msgspec.MsgspecError, UnreadableEvent) as error:
            raise self._unreadable(aggregate_id, version, kind, error) from None

    def upcast_example(self, upcaster: Upcaster) -> list[Event]:
        """What an upcaster's example is read as today.

        Raises:
            UnreadableEvent, msgspec.MsgspecError: it cannot be read; never once the aggregate is declared.
        """
        nobody = UUID(int=0)
        about = msgspec.json.encode(Metadata(command_id=nobody, correlation_id=nobody, actor="nobody"))
        kind = (upcaster.event_type, upcaster.schema_version)
        return self._upcast(kind, msgspec.json.encode(upcaster.example), about, nobody, 1)

    def fold(self, events: Iterable[Event], state: S | None = None) -> S:
        """The state after `events`, starting from `state` or from the initial one."""
        evolve = self.evolve
        folded = self.initial() if state is None else state
        for event in events:
            folded = evolve(folded, event)
        return folded

    def fold_rows(self, rows: Iterable[Row], aggregate_id: UUID, state: S) -> S:
        """The state after stored events of one aggregate, starting from `state`.

        What `fold` over `recorded` gives, in half the time: metadata are decoded for an upcaster only.

        Raises:
            UnreadableEvent: this code knows no such event or version, or a document does not fit it.
        """
        evolve, decoders = self.evolve, self._decoders
        for event_type, schema_version, data, metadata, version in rows:
            kind = (event_type, schema_version)
            decode = decoders.get(kind)
            try:
                if decode is not None:
                    event = decode(data)
                else:
                    *earlier, event = self._upcast(kind, data, metadata or "", aggregate_id, version)
                    for one in earlier:
                        state = evolve(state, one)
            except (msgspec.MsgspecError, UnreadableEvent) as error:
                raise self._unreadable(aggregate_id, version, kind, error) from None
            state = evolve(state, event)
        return state

    def _upcast(
        self, kind: tuple[str, int], data: str | bytes, metadata: str | bytes, aggregate_id: UUID, version: int
    ) -> list[Event]:
        """Take upcasters step by step until every document is in a shape of today."""
        if kind not in self._upcasters:
            raise UnreadableEvent("this code knows neither such an event nor an upcaster for it")
        context = Context(aggregate_id, version, decoder_for(Metadata)(metadata))
        waiting = [Document(*kind, msgspec.json.decode(data, type=dict[str, Any]))]
        events: list[Event] = []
        for _ in range(MAX_UPCASTS):
            if not waiting:
                return events
            document = waiting.pop(0)
            kind = (document.event_type, document.schema_version)
            if kind in self._decoders:
                events.append(self._decoders[kind](_fields_of(document)))
            elif kind in self._upcasters:
                try:
                    # To its end in here: a generator raises, or turns out to be empty, only while it is gone through.
                    steps = list(self._upcasters[kind].upcast(document.fields, context))
                except Exception as error:  # whatever a domain's function raises, the reader has to learn where
                    raise UnreadableEvent(f"the upcaster for {kind[0]} {kind[1]} fails: {error!r}") from error
                if not steps:
                    raise UnreadableEvent(f"the upcaster for {kind[0]} {kind[1]} makes nothing of it")
                if strange := [step for step in steps if not isinstance(step, Document)]:
                    raise UnreadableEvent(
                        f"the upcaster for {kind[0]} {kind[1]} gives {strange[0]!r}, which is no Document"
                    )
                waiting = [*steps, *waiting]
            else:
                raise UnreadableEvent(f"its upcaster leads to {kind[0]} {kind[1]}, which this code does not know")
        raise UnreadableEvent(f"after {MAX_UPCASTS} steps its upcasters have not come to events of today")

    def _unreadable(self, aggregate_id: UUID, version: int, kind: tuple[str, int], error: Exception) -> UnreadableEvent:
        return UnreadableEvent(
            f"version {version} of {self.name} {aggregate_id}, written as {kind[0]} in schema version {kind[1]}, cannot be "
            f"read: {error}. If newer code wrote it, upgrade; if it is an old shape, register an upcaster."
        )

    def _try_upcasters(self) -> None:
        for kind, number in Counter((one.event_type, one.schema_version) for one in self.upcasters).items():
            if number > 1:
                raise InvalidEvent(f"two upcasters take {kind[0]} {kind[1]}")
            if kind in self._decoders:
                raise InvalidEvent(f"{kind[0]} {kind[1]} is a shape of today: an upcaster takes old ones")
            # A defect in it must not wait for the first old event.
            try:
                self.upcast_example(self._upcasters[kind])
            except (msgspec.MsgspecError, UnreadableEvent) as error:
                raise InvalidEvent(f"the upcaster for {kind[0]} {kind[1]} fails on its example: {error}") from error


def _fields_of(document: Document) -> bytes:
    try:
        return msgspec.json.encode(document.fields)
    except (TypeError, ValueError, RecursionError) as error:
        raise UnreadableEvent(
            f"what its upcaster gives for {document.event_type} {document.schema_version} is no JSON: {error}"
        ) from error
