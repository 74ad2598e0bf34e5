"""What cannot be read back exactly is refused at the door."""

from typing import Any
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
from eventlib.store.event_store import event_id


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
        ORDER.decode("OrderDelivered", 1, '{"surprise": 1}')


@pytest.mark.parametrize(("event_type", "version"), [("OrderTeleported", 1), ("OrderDelivered", 99)])
def test_unknown_type_or_version_is_unreadable(event_type: str, version: int) -> None:
    with pytest.raises(UnreadableEvent, match=f"no event {event_type} in schema version {version}"):
        ORDER.decode(event_type, version, "{}")


class Inner(msgspec.Struct):
    ratio: float


class FloatAtTop(Event, frozen=True):
    price: float


class FloatDeepInside(Event, frozen=True):
    inner: list[dict[str, Inner | None]]


class Untyped(Event, frozen=True):
    anything: Any


class State(msgspec.Struct):
    pass


@pytest.mark.parametrize(
    ("kind", "where"),
    [
        (FloatAtTop, "FloatAtTop.price"),
        (FloatDeepInside, "FloatDeepInside.inner.ratio"),
        (Untyped, "Untyped.anything"),
    ],
)
def test_an_event_that_could_hold_a_float_cannot_be_declared(kind: type[Event], where: str) -> None:
    with pytest.raises(InvalidEvent, match=f"{where} is typed as (float|any)"):
        Aggregate("thing", initial=State, decide=lambda s, c: [], evolve=lambda s, e: s, events=(kind,))


def metadata(**given: Any) -> Metadata:
    return Metadata(command_id=uuid4(), correlation_id=uuid4(), actor="customer 7f3c", **given)


@pytest.mark.parametrize(
    ("ip", "kept"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("203.0.113.0/24", "203.0.113.0/24"),
        ("203.0.0.0/16", "203.0.0.0/16"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
    ],
)
def test_an_address_is_cut_to_its_network(ip: str, kept: str) -> None:
    stored = encode_metadata(metadata(ip=ip))
    assert ip == kept or ip.encode() not in stored
    assert decoder_for(Metadata)(stored).ip == kept


def test_not_an_address() -> None:
    with pytest.raises(InvalidEvent, match=r"metadata.ip is not an address: 'home'"):
        metadata(ip="home")


def test_metadata_is_checked_too() -> None:
    with pytest.raises(InvalidEvent, match=r"Metadata was refused.*actor"):
        encode_metadata(Metadata(command_id=uuid4(), correlation_id=uuid4(), actor=7))  # type: ignore[arg-type]


def test_event_id_is_a_name_based_uuid() -> None:
    for number in range(200):
        command_id, aggregate_id = uuid4(), uuid4()
        assert UUID(event_id(command_id, aggregate_id, number)) == uuid5(command_id, f"{aggregate_id}/{number}")
