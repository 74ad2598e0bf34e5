"""Orders in words: every event has a sentence, every change is told, money has the decimals of its currency."""

from __future__ import annotations

import pytest

from eventlib.events import Event
from eventlib.orders import ORDER
from eventlib.orders import commands as c
from eventlib.orders import events as e
from eventlib.orders.changes import changes, parts
from eventlib.orders.money import amount, money
from eventlib.orders.order import Order
from eventlib.orders.receipt import receipt
from eventlib.orders.retelling import command_of
from eventlib.orders.sentences import sentence
from eventlib.reporting.differences import differences
from tests.orders import USER

SAMPLES: list[Event] = [
    e.OrderPlaced(USER, "EUR"),
    e.OrderItemAdded("LAMP-7", 1, 4999, "customer 7f3c"),
    e.OrderItemQuantityChanged("LAMP-7", 1200, "customer 7f3c"),
    e.OrderItemRemoved("LAMP-7", "customer 7f3c"),
    e.OrderItemAdded("WIDGET-42", 2, 1499, "customer 7f3c"),
    e.OrderCouponApplied("WELCOME", 300),
    e.OrderCouponRemoved("WELCOME"),
    e.OrderCouponApplied("SPRING", 100),
    e.OrderAddressChanged("Ada", "12 rue", "69003", "Lyon", "", "FR"),
    e.OrderAddressChanged("Ada", "3 quai", "69003", "Lyon", "Rhône", "FR"),
    e.OrderShippingCostSet(490),
    e.OrderSubmitted(3388),
    e.OrderBalanceAdjusted(-88),
    e.PaymentDeclined("P-1", "visa", 3300),
    e.PaymentAuthorized("P-2", "visa", 3300),
    e.PaymentCaptured("P-2", 3300),
    e.OrderInvoiced("INV-1"),
    e.OrderFulfilmentStarted(),
    e.OrderShipped("Colissimo", "6A"),
    e.OrderDelivered(),
    e.RefundRequested("R-1", 1499),
    e.RefundApproved("R-1", 1499),
    e.OrderCancelled("customer 7f3c"),
    e.OrderMarkedUnavailable(),
]


def told() -> list[str]:
    order, sentences = Order(), []
    for event in SAMPLES:
        sentences.append(str(sentence(event, order)))
        order = ORDER.evolve(order, event)
    return sentences


def test_every_event_has_a_sentence_and_a_command() -> None:
    assert {type(event) for event in SAMPLES} == set(ORDER.events)
    commands = {type(command_of(event)) for event in SAMPLES}
    assert commands == set(c.Command.__subclasses__())


def test_sentences() -> None:
    assert told()[1:10] == [
        "Item added: LAMP-7, 1 at 49.99 EUR",
        "Quantity changed: LAMP-7, from 1 to 1,200",
        "Item removed: LAMP-7, all 1,200",
        "Item added: WIDGET-42, 2 at 14.99 EUR",
        "Coupon applied: WELCOME, 3.00 EUR off",
        "Coupon removed: WELCOME",
        "Coupon applied: SPRING, 1.00 EUR off",
        "Address given: Ada, 12 rue, 69003 Lyon, FR",
        "Address changed: Ada, 3 quai, 69003 Lyon, Rhône, FR",
    ]
    assert told()[11:13] == ["Submitted: agreed to pay 33.88 EUR", "Balance adjusted: 0.88 EUR less to pay"]


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: type(event).__name__)
def test_a_sentence_needs_no_lawful_history(event: Event) -> None:
    assert str(sentence(event, Order()))


def test_nothing_that_changes_goes_untold() -> None:
    order = Order()
    for event in SAMPLES:
        after = ORDER.evolve(order, event)
        assert bool(changes(order, after)) == (order != after)
        order = after


def test_a_change_says_before_and_after() -> None:
    order = ORDER.fold(SAMPLES[:5])
    after = ORDER.evolve(order, e.OrderItemQuantityChanged("WIDGET-42", 3, "x"))
    assert [(change.name, change.before, change.after) for change in changes(order, after)] == [
        ("items", "2", "3"),
        ("total", "29.98", "44.97"),
        ("WIDGET-42", "2 at 14.99", "3 at 14.99"),
    ]


def test_a_sku_with_the_name_of_a_field_hides_nothing() -> None:
    order = ORDER.fold(
        [SAMPLES[0], *(e.OrderItemAdded(sku, 1, 1, "x") for sku in ("coupon", "user", "total", "status"))]
    )
    keys = [part.key for part in parts(order)]
    assert len(keys) == len(set(keys)) and {"line coupon", "line user", "line total", "line status"} <= set(keys)
    removed = ORDER.evolve(order, e.OrderItemRemoved("user", "x"))
    assert ("user", "1 at 0.01", "") in [
        (change.name, change.before, change.after) for change in changes(order, removed)
    ]


def test_a_receipt_adds_up() -> None:
    lines = receipt(ORDER.fold(SAMPLES[:13]))
    assert [(line.label, line.value) for line in lines] == [
        ("WIDGET-42 × 2", "29.98"),
        ("Coupon SPRING", "−1.00"),
        ("Shipping", "4.90"),
        ("Adjustment", "−0.88"),
        ("Total", "33.00 EUR"),
    ]


@pytest.mark.parametrize(
    ("minor_units", "currency", "shown"),
    [
        (123456789, "EUR", "1,234,567.89"),
        (-7, "USD", "−0.07"),
        (1200, "JPY", "1,200"),
        (1, "KWD", "0.001"),
        (5, "CLF", "0.0005"),
    ],
)
def test_money_has_the_decimals_of_its_currency(minor_units: int, currency: str, shown: str) -> None:
    assert amount(minor_units, currency) == shown and money(minor_units, currency) == f"{shown} {currency}"


def test_differences_name_the_innermost_values() -> None:
    folded = {"lines": {"A": {"quantity": 1}, "B": {"quantity": 1}}, "coupon": None, "same": [1]}
    projected = {"lines": {"A": {"quantity": 2}}, "coupon": {"code": "X"}, "same": [1], "more": 0}
    assert list(differences(folded, projected)) == [
        ("lines.A.quantity", "1", "2"),
        ("lines.B", "{'quantity': 1}", "not there"),
        ("coupon", "null", "{'code': 'X'}"),
        ("more", "not there", "0"),
    ]
