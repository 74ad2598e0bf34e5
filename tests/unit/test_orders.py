"""The order as a state machine: what is legal, what is refused and why, and what always holds."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlib.codec import decoder_for, encode_event
from eventlib.errors import DomainError
from eventlib.events import Event
from eventlib.orders import ORDER, commands
from eventlib.orders.commands import (
    AddItem,
    AdjustBalance,
    ApplyCoupon,
    ApproveRefund,
    AuthorizePayment,
    CancelOrder,
    CapturePayment,
    ChangeQuantity,
    Command,
    DeclinePayment,
    DeliverOrder,
    InvoiceOrder,
    MarkUnavailable,
    PlaceOrder,
    RemoveCoupon,
    RemoveItem,
    RequestRefund,
    SetShippingCost,
    ShipOrder,
    StartFulfilment,
    SubmitOrder,
)
from eventlib.orders.decide import _DECIDE, decide
from eventlib.orders.events import EVENTS
from eventlib.orders.order import _EVOLVE, Order, Status

USER = UUID("7f3c0000-0000-4000-8000-000000000001")
PLACED: list[Command] = [PlaceOrder(USER, "EUR")]
CART: list[Command] = [*PLACED, AddItem("WIDGET-42", 2, 1499, "me"), AddItem("LAMP-7", 1, 4999, "me")]
SUBMITTED: list[Command] = [*CART, SetShippingCost(500), SubmitOrder()]
PAID: list[Command] = [*SUBMITTED, AuthorizePayment("p1", "card", 8497), CapturePayment("p1")]
SHIPPED: list[Command] = [*PAID, StartFulfilment(), ShipOrder("DHL", "T1")]
DELIVERED: list[Command] = [*SHIPPED, DeliverOrder()]


def after(history: Sequence[Command]) -> Order:
    order = Order()
    for command in history:
        order = ORDER.fold(decide(order, command), order)
    return order


@pytest.mark.parametrize(
    ("history", "status", "total"),
    [
        ([], Status.NEW, 0),
        (PLACED, Status.PLACED, 0),
        (CART, Status.PLACED, 7997),
        ([*CART, ChangeQuantity("WIDGET-42", 1, "me")], Status.PLACED, 6498),
        ([*CART, AddItem("WIDGET-42", 1, 1499, "me")], Status.PLACED, 9496),
        ([*CART, RemoveItem("LAMP-7", "me")], Status.PLACED, 2998),
        ([*CART, ApplyCoupon("WELCOME", 300)], Status.PLACED, 7697),
        ([*CART, ApplyCoupon("ALL", 99999)], Status.PLACED, 0),
        ([*CART, ApplyCoupon("ALL", 99999), RemoveCoupon()], Status.PLACED, 7997),
        (SUBMITTED, Status.SUBMITTED, 8497),
        ([*CART, ApplyCoupon("ALL", 99999), SubmitOrder()], Status.PAID, 0),
        ([*SUBMITTED, AuthorizePayment("p1", "card", 8000), CapturePayment("p1")], Status.SUBMITTED, 8497),
        (
            [*SUBMITTED, AuthorizePayment("p1", "card", 8000), CapturePayment("p1"), AdjustBalance(-497)],
            Status.PAID,
            8000,
        ),
        ([*SUBMITTED, DeclinePayment("p0", "card", 8497)], Status.SUBMITTED, 8497),
        (PAID, Status.PAID, 8497),
        ([*PAID, InvoiceOrder("I1")], Status.INVOICED, 8497),
        ([*PAID, InvoiceOrder("I1"), StartFulfilment()], Status.PROCESSING, 8497),
        (SHIPPED, Status.SHIPPED, 8497),
        (DELIVERED, Status.DELIVERED, 8497),
        ([*SHIPPED, CancelOrder("me")], Status.CANCELLED, 8497),
        ([*PAID, MarkUnavailable()], Status.UNAVAILABLE, 8497),
        ([*DELIVERED, RequestRefund("r1", 1499)], Status.DELIVERED, 8497),
        ([*DELIVERED, RequestRefund("r1", 1499), ApproveRefund("r1")], Status.PARTLY_REFUNDED, 8497),
        ([*DELIVERED, RequestRefund("r1", 8497), ApproveRefund("r1")], Status.REFUNDED, 8497),
        ([*PAID, CancelOrder("me"), RequestRefund("r1", 8497), ApproveRefund("r1")], Status.CANCELLED, 8497),
    ],
)
def test_where_a_history_leads(history: Sequence[Command], status: Status, total: int) -> None:
    order = after(history)
    assert (order.status, order.total_cents) == (status, total)


@pytest.mark.parametrize(
    ("history", "command", "reason"),
    [
        ([], AddItem("A", 1, 1, "me"), "the order is new, and would have to be placed"),
        (PLACED, PlaceOrder(USER, "EUR"), "placed already"),
        (PLACED, SubmitOrder(), "an empty cart"),
        (CART, AddItem("LAMP-7", 1, 1, "me"), "in the cart at 4999 a piece"),
        (CART, AddItem("GOLD", 1_000_000, 10**12, "me"), "worth more than"),
        (
            [*PLACED, *([AddItem("AIR", 10**6, 0, "me")] * 1000)],
            AddItem("AIR", 1, 0, "me"),
            "more than 1000000000 pieces",
        ),
        (CART, RemoveItem("SOFA", "me"), "SOFA is not in the cart"),
        (CART, ChangeQuantity("SOFA", 2, "me"), "SOFA is not in the cart"),
        (CART, RemoveCoupon(), "no coupon"),
        ([*CART, ApplyCoupon("X", 1)], ApplyCoupon("X", 1), "applied already"),
        (CART, AuthorizePayment("p1", "card", 1), "would have to be submitted"),
        (SUBMITTED, AddItem("A", 1, 1, "me"), "the order is submitted"),
        (SUBMITTED, AuthorizePayment("p1", "card", 8498), "more than the 8497 still due"),
        (SUBMITTED, CapturePayment("p9"), "never authorised"),
        (SUBMITTED, AdjustBalance(-8498), "less to pay than"),
        ([*SUBMITTED, AuthorizePayment("p1", "card", 1)], AuthorizePayment("p1", "card", 1), "authorised already"),
        (SUBMITTED, ShipOrder("DHL", "T1"), "cannot be shipped"),
        (PAID, DeliverOrder(), "would have to be shipped"),
        (DELIVERED, CancelOrder("me"), "cannot be cancelled"),
        (PAID, RequestRefund("r1", 1), "cannot be requested"),
        (DELIVERED, RequestRefund("r1", 8498), "not between 1 and the 8497 left"),
        (DELIVERED, RequestRefund("r1", 0), "not between 1"),
        (DELIVERED, ApproveRefund("r1"), "never requested"),
        ([*DELIVERED, RequestRefund("r1", 1), ApproveRefund("r1")], ApproveRefund("r1"), "approved already"),
    ],
)
def test_what_is_refused_and_why(history: Sequence[Command], command: Command, reason: str) -> None:
    with pytest.raises(DomainError, match=reason):
        decide(after(history), command)


@pytest.mark.parametrize(
    ("history", "command"),
    [
        (CART, ChangeQuantity("LAMP-7", 1, "me")),
        (SUBMITTED, AdjustBalance(0)),
        ([*CART, SetShippingCost(500)], SetShippingCost(500)),
    ],
)
def test_asking_for_what_already_is_changes_nothing(history: Sequence[Command], command: Command) -> None:
    assert decide(after(history), command) == []


def test_every_command_and_every_event_is_handled() -> None:
    declared = {kind for kind in vars(commands).values() if isinstance(kind, type) and issubclass(kind, Command)}
    assert set(_DECIDE) == declared - {Command}
    assert set(_EVOLVE) == set(EVENTS)


@given(st.lists(st.sampled_from(EVENTS).flatmap(st.builds), max_size=12))
def test_evolve_takes_any_event_in_any_state(events: list[Event]) -> None:
    order = ORDER.fold(events)
    assert decoder_for(Order)(msgspec.json.encode(order)) == order


skus = st.sampled_from(["A", "B", "C"])
amounts = st.integers(0, 5000)
ids = st.sampled_from(["1", "2"])
any_command: st.SearchStrategy[Command] = st.one_of(
    st.builds(PlaceOrder, st.just(USER), st.just("EUR")),
    st.builds(AddItem, skus, st.integers(1, 3), st.sampled_from([0, 100, 999]), st.just("me")),
    st.builds(RemoveItem, skus, st.just("me")),
    st.builds(ChangeQuantity, skus, st.integers(1, 5), st.just("me")),
    st.builds(ApplyCoupon, st.sampled_from(["X", "Y"]), amounts),
    st.builds(RemoveCoupon),
    st.builds(SetShippingCost, amounts),
    st.builds(SubmitOrder),
    st.builds(AdjustBalance, st.integers(-5000, 5000)),
    st.builds(AuthorizePayment, ids, st.just("card"), amounts),
    st.builds(DeclinePayment, ids, st.just("card"), amounts),
    st.builds(CapturePayment, ids),
    st.builds(InvoiceOrder, st.just("I1")),
    st.builds(StartFulfilment),
    st.builds(MarkUnavailable),
    st.builds(ShipOrder, st.just("DHL"), st.just("T1")),
    st.builds(DeliverOrder),
    st.builds(CancelOrder, st.just("me")),
    st.builds(RequestRefund, ids, amounts),
    st.builds(ApproveRefund, ids),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(any_command, max_size=40))
def test_no_sequence_of_commands_breaks_the_books(sequence: list[Command]) -> None:
    order, events = Order(), []
    for command in [*PLACED, *sequence]:
        try:
            decided = decide(order, command)
        except DomainError:
            continue
        order = ORDER.fold(decided, order)
        events += decided
        assert order.total_cents >= 0
        assert order.refunded_cents <= order.requested_refund_cents <= max(order.captured_cents, 0)
        assert order.captured_cents <= order.authorized_cents <= order.total_cents or order.status is Status.PLACED
    stored = [decoder_for(type(event))(encode_event(event)) for event in events]
    assert ORDER.fold(stored) == order

    assert decoder_for(Order)(msgspec.json.encode(order)) == order
