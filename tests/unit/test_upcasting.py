"""What was written in an old shape is read in today's, for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlib.aggregate import Aggregate
from eventlib.audit.checks import check_legal, offences
from eventlib.errors import InvalidEvent, UnreadableEvent
from eventlib.events import Event, Recorded, Stored
from eventlib.orders import ORDER
from eventlib.orders import events as e
from eventlib.orders.order import Order
from eventlib.orders.retelling import command_of
from eventlib.temporal.as_of import as_of_version
from eventlib.temporal.backfill import backfill
from eventlib.temporal.transitions import replay
from eventlib.upcasting import Context, Document, Upcaster
from tests.orders import USER, metadata, stored_event


class Paid(Event, frozen=True):
    schema_version: ClassVar[int] = 3

    cents: int
    currency: str
    by: str


class Tipped(Event, frozen=True):
    cents: int


class Till(msgspec.Struct, frozen=True):
    cents: int = 0
    tips: int = 0
    payers: tuple[str, ...] = ()


def evolve(till: Till, event: Paid | Tipped) -> Till:
    if isinstance(event, Tipped):
        return msgspec.structs.replace(till, tips=till.tips + event.cents)
    return msgspec.structs.replace(till, cents=till.cents + event.cents, payers=(*till.payers, event.by))


def renamed(fields: dict[str, Any], context: Context) -> Sequence[Document]:
    """Version 1 called the amount `amount`."""
    return [Document("Paid", 2, {"cents": fields["amount"], "currency": "EUR"})]


def with_payer(fields: dict[str, Any], context: Context) -> Sequence[Document]:
    """Version 2 did not say who paid."""
    return [Document("Paid", 3, {**fields, "by": f"{context.metadata.actor} ({context.version})"})]


def split(fields: dict[str, Any], context: Context) -> Sequence[Document]:
    """A retired event: a payment with its tip."""
    return [Document("Paid", 1, {"amount": fields["bill"]}), Document("Tipped", 1, {"cents": fields["tip"]})]


UPCASTERS = (
    Upcaster("Paid", 1, renamed, {"amount": 5}),
    Upcaster("Paid", 2, with_payer, {"cents": 5, "currency": "EUR"}),
    Upcaster("PaidWithTip", 1, split, {"bill": 5, "tip": 1}),
)

TILL: Aggregate[Till, object] = Aggregate(
    "till", Till, lambda till, command: [], evolve, (Paid, Tipped), upcasters=UPCASTERS
)


def till(*upcasters: Upcaster) -> Aggregate[Till, object]:
    return replace(TILL, upcasters=upcasters)


def events_of(aggregate: Aggregate[Any, Any], stored: Stored) -> list[Event]:
    return [recorded.event for recorded in aggregate.recorded(stored)]


@pytest.mark.parametrize(
    ("event_type", "schema_version", "data", "today"),
    [
        ("Paid", 3, '{"by": "me", "cents": 7, "currency": "USD"}', [Paid(7, "USD", "me")]),
        ("Paid", 2, '{"cents": 7, "currency": "USD"}', [Paid(7, "USD", "customer 7f3c (4)")]),
        ("Paid", 1, '{"amount": 7}', [Paid(7, "EUR", "customer 7f3c (4)")]),
        ("PaidWithTip", 1, '{"tip": 2, "bill": 7}', [Paid(7, "EUR", "customer 7f3c (4)"), Tipped(2)]),
    ],
)
def test_steps_lead_from_any_old_shape_to_today(
    event_type: str, schema_version: int, data: str, today: list[Event]
) -> None:
    stored = stored_event(event_type, schema_version, data, version=4)
    recorded = TILL.recorded(stored)
    assert [one.event for one in recorded] == today
    assert [one.part for one in recorded] == list(range(len(today)))
    old = (event_type, schema_version) != ("Paid", 3)
    assert {one.upcast_from for one in recorded} == {f"{event_type} {schema_version}" if old else None}
    assert {(one.version, one.event_id, one.position) for one in recorded} == {(4, stored.event_id, stored.position)}


@given(
    st.lists(
        st.tuples(st.sampled_from(["Paid 1", "Paid 2", "Paid 3", "PaidWithTip 1", "Tipped 1"]), st.integers(0, 99))
    )
)
def test_the_rows_of_a_load_fold_as_the_events_of_a_reading(history: list[tuple[str, int]]) -> None:
    data = {
        "Paid 1": '{{"amount": {0}}}',
        "Paid 2": '{{"cents": {0}, "currency": "EUR"}}',
        "Paid 3": '{{"cents": {0}, "currency": "EUR", "by": "me"}}',
        "PaidWithTip 1": '{{"bill": {0}, "tip": 1}}',
        "Tipped 1": '{{"cents": {0}}}',
    }
    stored = [
        stored_event(kind.split()[0], int(kind.split()[1]), data[kind].format(cents), version)
        for version, (kind, cents) in enumerate(history, 1)
    ]
    read = TILL.fold(event for one in stored for event in events_of(TILL, one))
    rows = [(one.event_type, one.schema_version, one.data, one.metadata, one.version) for one in stored]
    assert TILL.fold_rows(rows, USER, Till()) == read
    assert read.cents == sum(cents for kind, cents in history if kind != "Tipped 1")


def nothing(fields: dict[str, Any], context: Context) -> Sequence[Document]:
    return []


def nowhere(fields: dict[str, Any], context: Context) -> Sequence[Document]:
    return [Document("Gone", 9, fields)]


def in_a_circle(fields: dict[str, Any], context: Context) -> Sequence[Document]:
    return [Document("Old", 1, fields)]


def raises(fields: dict[str, Any], context: Context) -> Sequence[Document]:
    raise ZeroDivisionError("oh")


def nothing_at_last(fields: dict[str, Any], context: Context) -> Any:
    yield from []


def raises_at_last(fields: dict[str, Any], context: Context) -> Any:
    yield Document("Tipped", 1, {"cents": 1})
    raise ZeroDivisionError("late")


def not_in_a_list(fields: dict[str, Any], context: Context) -> Any:
    return Document("Tipped", 1, {"cents": 1})


def no_documents(fields: dict[str, Any], context: Context) -> Any:
    return [("Tipped", 1, {"cents": 1})]


def no_json(fields: dict[str, Any], context: Context) -> Sequence[Document]:
    return [Document("Tipped", 1, {"cents": object()})]


@pytest.mark.parametrize(
    ("upcaster", "reason"),
    [
        (Upcaster("Old", 1, nothing, {}), "makes nothing of it"),
        (Upcaster("Old", 1, nowhere, {}), "leads to Gone 9, which this code does not know"),
        (Upcaster("Old", 1, in_a_circle, {}), "have not come to events of today"),
        (Upcaster("Old", 1, raises, {}), "ZeroDivisionError"),
        (Upcaster("Old", 1, nothing_at_last, {}), "makes nothing of it"),
        (Upcaster("Old", 1, raises_at_last, {}), "ZeroDivisionError"),
        (Upcaster("Old", 1, not_in_a_list, {}), "fails: TypeError"),
        (Upcaster("Old", 1, no_documents, {}), "which is no Document"),
        (Upcaster("Old", 1, no_json, {}), "gives for Tipped 1 is no JSON"),
        (Upcaster("Paid", 1, renamed, {}), "KeyError"),
        (Upcaster("Paid", 3, renamed, {"amount": 1}), "Paid 3 is a shape of today"),
    ],
)
def test_an_upcaster_that_cannot_work_is_refused_when_the_aggregate_is_declared(
    upcaster: Upcaster, reason: str
) -> None:
    with pytest.raises(InvalidEvent, match=reason):
        till(upcaster)


def test_a_chain_that_ends_before_today_is_refused() -> None:
    with pytest.raises(InvalidEvent, match=r"Paid 1 fails on its example.*leads to Paid 2"):
        till(UPCASTERS[0])


def test_two_upcasters_for_one_shape_are_refused() -> None:
    with pytest.raises(InvalidEvent, match="two upcasters take Paid 2"):
        till(UPCASTERS[0], UPCASTERS[1], Upcaster("Paid", 2, with_payer, {"cents": 1, "currency": "EUR"}))


@pytest.mark.parametrize(
    ("event_type", "schema_version", "data", "reason"),
    [
        ("Paid", 1, '{"amount": "seven"}', "Expected `int`, got `str`"),
        ("Paid", 1, '{"price": 7}', "'amount'"),
        ("Paid", 4, "{}", "neither such an event nor an upcaster"),
        ("Paid", 1, "[]", "Expected `object`"),
    ],
)
def test_an_old_event_that_does_not_fit_is_named_with_its_place(
    event_type: str, schema_version: int, data: str, reason: str
) -> None:
    stored = stored_event(event_type, schema_version, data, version=12)
    place = f"version 12 of till {USER}, written as {event_type} in schema version {schema_version}, cannot be read"
    with pytest.raises(UnreadableEvent, match=place) as caught:
        TILL.recorded(stored)
    assert reason in str(caught.value)
    with pytest.raises(UnreadableEvent, match=place):
        TILL.fold_rows([(event_type, schema_version, data, stored.metadata, 12)], USER, Till())


def test_what_an_upcaster_raises_is_told_with_the_place() -> None:
    def shared(fields: dict[str, Any], context: Context) -> Sequence[Document]:
        return [Document("Tipped", 1, {"cents": 6 // fields["by"]})]

    fragile = till(Upcaster("Old", 1, shared, {"by": 2}))
    with pytest.raises(UnreadableEvent, match=r"version 1 of till .*ZeroDivisionError"):
        fragile.recorded(stored_event("Old", 1, '{"by": 0}'))


def test_an_upcaster_that_makes_nothing_of_one_event_hides_none() -> None:
    def some(fields: dict[str, Any], context: Context) -> Any:
        return (Document("Tipped", 1, {"cents": 1}) for _ in range(fields["times"]))

    picky = till(Upcaster("Old", 1, some, {"times": 1}))
    stored = stored_event("Old", 1, '{"times": 0}')
    with pytest.raises(UnreadableEvent, match="makes nothing of it"):
        picky.recorded(stored)
    with pytest.raises(UnreadableEvent, match="makes nothing of it"):
        picky.fold_rows([("Old", 1, stored.data, stored.metadata, 1)], USER, Till())


def test_orders_of_the_first_version_say_who_cancelled() -> None:
    assert events_of(ORDER, stored_event("OrderCancelled", 1, "{}")) == [e.OrderCancelled("customer 7f3c")]
    nobody = stored_event("OrderCancelled", 1, "{}", about=metadata(actor=""))
    assert events_of(ORDER, nobody) == [e.OrderCancelled("unknown")]
    long = stored_event("OrderCancelled", 1, "{}", about=metadata(actor="x" * 600))
    assert events_of(ORDER, long) == [e.OrderCancelled("x" * 500)]


def test_the_pilots_checkout_is_two_events() -> None:
    stored = stored_event("OrderCheckedOut", 1, '{"delivery_fee_cents": 490, "grand_total_cents": 3488}')
    assert events_of(ORDER, stored) == [e.OrderShippingCostSet(490), e.OrderSubmitted(3488)]


def checked_out(fee_cents: int, total_cents: int) -> list[Recorded[Event]]:
    """An order of the pilot: one widget for 14.99, checked out."""
    written = [
        ("OrderPlaced", f'{{"user_id": "{USER}", "currency": "EUR"}}'),
        (
            "OrderItemAdded",
            '{"sku": "WIDGET-42", "quantity": 1, "unit_price_cents": 1499, "added_by": "customer 7f3c"}',
        ),
        ("OrderCheckedOut", f'{{"delivery_fee_cents": {fee_cents}, "grand_total_cents": {total_cents}}}'),
    ]
    stored = [stored_event(kind, 1, data, version) for version, (kind, data) in enumerate(written, 1)]
    return [recorded for one in stored for recorded in ORDER.recorded(one)]


@pytest.mark.parametrize("fee_cents", [0, 490])
def test_a_checkout_of_the_pilot_breaks_no_rule_and_is_one_event(fee_cents: int) -> None:
    replayed = replay(ORDER, checked_out(fee_cents, 1499 + fee_cents))
    found = offences(ORDER, replayed, command_of)
    assert found == {}
    assert check_legal("order", replayed, found).finding.startswith("Each of the 3 events follows")


def test_an_offence_is_told_of_the_part_that_breaks_the_rule() -> None:
    replayed = replay(ORDER, checked_out(490, 9))
    found = offences(ORDER, replayed, command_of)
    assert found.keys() == {(3, 1)}
    assert check_legal("order", replayed, found).finding.startswith("Event 3: the rules lead to OrderSubmitted")


def test_an_event_that_cannot_be_replayed_whole_is_not_replayed_in_part() -> None:
    def brittle(order: Order, event: Event) -> Order:
        if isinstance(event, e.OrderSubmitted):
            raise KeyError("total")
        return ORDER.evolve(order, event)

    replayed = replay(replace(ORDER, evolve=brittle), checked_out(490, 1989))
    assert [step.recorded.version for step in replayed.transitions] == [1, 2]
    assert (replayed.broken_by, replayed.state.shipping_cents) == (3, 0)
    assert offences(ORDER, replayed, command_of).keys() == {(3, 0)}


def test_as_of_a_version_has_all_parts_of_it() -> None:
    log = checked_out(490, 1989)
    assert [(one.version, one.part) for one in as_of_version(log, 3)] == [(1, 0), (2, 0), (3, 0), (3, 1)]
    assert [one.version for one in as_of_version(log, 2)] == [1, 2]


def test_the_parts_of_one_event_are_no_history_of_several() -> None:
    late = metadata(occurred_at=datetime(2024, 3, 1, tzinfo=UTC))
    stored = stored_event("OrderCheckedOut", 1, '{"delivery_fee_cents": 0, "grand_total_cents": 0}', about=late)
    parts = ORDER.recorded(stored)
    assert len(parts) == 2 and backfill(parts) is None
