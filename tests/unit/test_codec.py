"""What cannot be read back exactly is refused at the door."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any
from uuid import UUID, uuid4, uuid5

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlib.aggregate import Aggregate
from eventlib.codec import MAX_DOCUMENT_BYTES, decoder_for, encode_event, encode_metadata
from eventlib.errors import InvalidEvent, UnreadableEvent
from eventlib.events import Event, Metadata
from eventlib.orders import ORDER
from eventlib.orders.events import OrderItemAdded
from eventlib.store.event_ids import event_id
from tests.orders import stored_event


class Noted(Event, frozen=True):
    text: str


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (OrderItemAdded("A", 1.5, 100, "me"), "Expected `int`, got `float` - at `$.quantity`"),  # type: ignore[arg-type]
        (OrderItemAdded("A", 2.0, 100, "me"), "got `float`"),  # type: ignore[arg-type]
        (OrderItemAdded("A", float("nan"), 100, "me"), "at `$.quantity`"),  # type: ignore[arg-type]
        (OrderItemAdded("A", True, 100, "me"), "got `bool`"),
        (OrderItemAdded("A", "2", 100, "me"), "got `str`"),  # type: ignore[arg-type]
        (OrderItemAdded("A", 0, 100, "me"), "`int` >= 1"),
        (OrderItemAdded("A", 1, -1, "me"), "`int` >= 0"),
        (OrderItemAdded("", 1, 100, "me"), "length >= 1"),
        (OrderItemAdded("A\0B", 1, 100, "me"), "NUL"),
        (OrderItemAdded("\ud800", 1, 100, "me"), "surrogates"),
        (OrderItemAdded(object(), 1, 100, "me"), "unsupported"),  # type: ignore[arg-type]
        (Noted("x" * MAX_DOCUMENT_BYTES), "bytes of JSON"),
    ],
)
def test_refuses(event: Event, reason: str) -> None:
    with pytest.raises(InvalidEvent, match=rf"{type(event).__name__} was refused.*") as caught:
        encode_event(event)
    assert reason in str(caught.value)


def test_text_that_only_looks_like_a_nul_is_kept() -> None:
    assert decoder_for(Noted)(encode_event(Noted(r"\u0000"))) == Noted(r"\u0000")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_other_text_comes_back(text: str) -> None:
    assert decoder_for(Noted)(encode_event(Noted(text))) == Noted(text)


def test_unknown_field_is_unreadable() -> None:
    with pytest.raises(UnreadableEvent, match=r"OrderDelivered.*unknown field `surprise`"):
        ORDER.recorded(stored_event("OrderDelivered", 1, '{"surprise": 1}'))


@pytest.mark.parametrize(("event_type", "version"), [("OrderTeleported", 1), ("OrderDelivered", 99)])
def test_unknown_type_or_version_is_unreadable(event_type: str, version: int) -> None:
    with pytest.raises(UnreadableEvent, match=f"written as {event_type} in schema version {version}, cannot be read"):
        ORDER.recorded(stored_event(event_type, version, "{}"))


def test_metadata_that_cannot_be_decoded_are_unreadable() -> None:
    with pytest.raises(UnreadableEvent, match=r"version 1 of order .* missing required field `command_id`"):
        ORDER.recorded(stored_event("OrderDelivered", 1, "{}", about="{}"))


class Inner(msgspec.Struct):
    ratio: float


class FloatAtTop(Event, frozen=True):
    price: float


class FloatDeepInside(Event, frozen=True):
    inner: list[dict[str, Inner | None]]


class Untyped(Event, frozen=True):
    anything: Any


@dataclass
class Place:
    latitude: float


class InDataclass(Event, frozen=True):
    place: Place


class ByNumber(Event, frozen=True):
    names: dict[int, str]


class WithoutZone(Event, frozen=True):
    at: datetime


class Exact(Event, frozen=True):
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    pairs: dict[str, list[tuple[int, bool]]]
    nothing: UUID | None


class State(msgspec.Struct):
    pass


@pytest.mark.parametrize(
    ("kind", "where"),
    [
        (FloatAtTop, "FloatAtTop.price is typed as float"),
        (FloatDeepInside, "FloatDeepInside.inner.ratio is typed as float"),
        (Untyped, "Untyped.anything is typed as any"),
        (InDataclass, "InDataclass.place is typed as dataclass"),
        (ByNumber, "ByNumber.names is typed as dict"),
        (WithoutZone, "WithoutZone.at is a time that may lack a zone"),
    ],
)
def test_an_event_that_may_not_come_back_unchanged_cannot_be_declared(kind: type[Event], where: str) -> None:
    with pytest.raises(InvalidEvent, match=where):
        aggregate(events=(kind,))


def aggregate(name: str = "thing", events: tuple[type[Event], ...] = ()) -> Aggregate[State, Any]:
    return Aggregate(name, initial=State, decide=lambda s, c: [], evolve=lambda s, e: s, events=events)


def test_an_event_of_exact_types_can_be_declared_and_comes_back() -> None:
    event = Exact(datetime(2026, 1, 1, tzinfo=UTC), {"a": [(1, True)]}, None)
    (recorded,) = aggregate(events=(Exact,)).recorded(stored_event("Exact", 1, encode_event(event).decode()))
    assert recorded.event == event


@pytest.mark.parametrize("name", ["", "my order", "a.b", "a/b", "ünï", "a\0b", "x" * 129])
def test_an_aggregate_is_named_so_that_kafka_takes_it(name: str) -> None:
    with pytest.raises(InvalidEvent, match="an aggregate's name is made of"):
        aggregate(name)


def test_a_value_that_would_read_back_differently_is_refused() -> None:
    odd = Exact(datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=5, seconds=7))), {}, None)
    with pytest.raises(InvalidEvent, match="reads back as something else"):
        encode_event(odd)


def metadata(**given: Any) -> Metadata:
    return Metadata(command_id=uuid4(), correlation_id=uuid4(), actor="customer 7f3c", **given)


@pytest.mark.parametrize(
    ("ip", "kept"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("203.0.113.0/24", "203.0.113.0/24"),
        ("203.0.0.0/16", "203.0.0.0/16"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("2002:cb00:714d::1", "203.0.113.0/24"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
    ],
)
def test_an_address_is_cut_to_its_network(ip: str, kept: str) -> None:
    stored = encode_metadata(metadata(ip=ip))
    assert ip == kept or ip.encode() not in stored
    assert decoder_for(Metadata)(stored).ip == kept


def test_not_an_address() -> None:
    with pytest.raises(InvalidEvent, match=r"metadata.ip is not an address: 'home'"):
        metadata(ip="home")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"ip": 5}, "metadata.ip is not a text: 5"),
        ({"ip": b"abcd"}, "metadata.ip is not a text"),
        ({"occurred_at": "2020-01-01"}, "metadata.occurred_at is not a time"),
        ({"occurred_at": datetime(2020, 1, 1)}, "has no time zone"),  # noqa: DTZ001
        ({"occurred_at": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))}, "does not exist in UTC"),
        ({"occurred_at": datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=14)))}, "does not exist in UTC"),
    ],
)
def test_metadata_that_means_nothing(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidEvent, match=reason):
        metadata(**given)


def test_a_command_id_as_text_is_refused() -> None:
    with pytest.raises(InvalidEvent, match="Metadata was refused"):
        encode_metadata(Metadata(command_id=str(uuid4()), correlation_id=uuid4(), actor="me"))  # type: ignore[arg-type]


def test_metadata_is_checked_too() -> None:
    with pytest.raises(InvalidEvent, match=r"Metadata was refused.*actor"):
        encode_metadata(Metadata(command_id=uuid4(), correlation_id=uuid4(), actor=7))  # type: ignore[arg-type]


def test_event_id_is_a_name_based_uuid() -> None:
    for number in range(200):
        command_id, aggregate_id = uuid4(), uuid4()
        assert UUID(event_id(command_id, aggregate_id, number)) == uuid5(command_id, f"{aggregate_id}/{number}")
