"""Orders with a history worth reporting on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from eventlib.events import Event
from eventlib.orders import ORDER
from eventlib.orders import commands as c
from eventlib.orders.projections import ORDER_PROJECTIONS
from eventlib.projections.rows import write_rows
from eventlib.store.event_store import Store
from eventlib.store.handle import handle
from tests.orders import USER, metadata

CUSTOMER = {"actor": "customer 7f3c", "device": "iOS 17.4", "ip": "203.0.113.77"}
PAYMENTS = {"actor": "payment service"}
AGENT = {"actor": "agent s-014", "device": "desk console"}
LATE = timedelta(hours=9, minutes=12)

Step = tuple[c.Command, dict[str, Any]]

RICH: Sequence[Step] = [
    (c.PlaceOrder(USER, "EUR"), CUSTOMER),
    (c.AddItem("WIDGET-42", 2, 1499, "customer 7f3c"), CUSTOMER),
    (c.AddItem("LAMP-7", 1, 4999, "customer 7f3c"), CUSTOMER),
    (c.ApplyCoupon("WELCOME", 300), CUSTOMER),
    (c.RemoveItem("LAMP-7", "customer 7f3c"), {**CUSTOMER, "reason": "too bright"}),
    (c.ChangeQuantity("WIDGET-42", 3, "customer 7f3c"), CUSTOMER),
    (c.ChangeAddress("Ada Moreau", "12 rue des Lilas", "69003", "Lyon", "", "FR"), CUSTOMER),
    (c.SetShippingCost(490), {"actor": "shipping service"}),
    (c.SubmitOrder(), CUSTOMER),
    (c.DeclinePayment("P-1", "visa 4242", 4687), {**PAYMENTS, "reason": "insufficient funds"}),
    (c.AuthorizePayment("P-2", "gift card", 2000), PAYMENTS),
    (c.AuthorizePayment("P-3", "visa 1881", 2687), PAYMENTS),
    (c.CapturePayment("P-2"), PAYMENTS),
    (c.CapturePayment("P-3"), PAYMENTS),
    (c.ChangeAddress("Ada Moreau", "3 quai Perrache", "69002", "Lyon", "", "FR"), {**AGENT, "reason": "ticket 8841"}),
    (c.ShipOrder("Colissimo", "6A123"), {"actor": "warehouse 2"}),
    (c.DeliverOrder(), {"actor": "carrier", "late": LATE}),
    (c.RequestRefund("R-1", 1499), {**AGENT, "reason": "arrived broken, ticket 8902"}),
    (c.ApproveRefund("R-1"), AGENT),
]

HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(2)>" onload="alert(3)'

HOSTILE_STEPS: Sequence[Step] = [
    (c.PlaceOrder(USER, "JPY"), {"actor": HOSTILE, "reason": HOSTILE, "device": HOSTILE}),
    (c.AddItem(HOSTILE, 1, 1200, HOSTILE), {"actor": HOSTILE, "reason": "$x^2$ {{ 7 * 7 }} {% raw %} &amp;"}),
    (c.RemoveItem(HOSTILE, HOSTILE), {"actor": HOSTILE, "reason": HOSTILE}),
]


def write(store: Store, order_id: UUID, steps: Sequence[Step] = RICH) -> None:
    """Let the order go through the steps; `late` says how long ago a step happened."""
    for command, about in steps:
        given = {name: value for name, value in about.items() if name != "late"}
        if "late" in about:
            given["occurred_at"] = datetime.now(UTC) - about["late"]
        handle(store, ORDER, order_id, command, metadata(**given))


def write_long(store: Store, order_id: UUID, number: int) -> None:
    """An order with many events: one item whose quantity goes up and down."""
    state = ORDER.initial()
    events: list[Event] = []
    for command in (
        c.PlaceOrder(USER, "EUR"),
        c.AddItem("LAMP-7", 1, 4999, "customer 7f3c"),
        *(c.ChangeQuantity("LAMP-7", 2 + index % 7, "customer 7f3c") for index in range(number - 2)),
    ):
        decided = ORDER.decide(state, command)
        events += decided
        state = ORDER.fold(decided, state)
    store.append(ORDER, order_id, 0, events, metadata())


def project(store: Store, order_id: UUID, until: int | None = None) -> None:
    """Write the order's row as a projector would, up to and including a version."""
    events = list(store.read(ORDER, order_id, until=until))
    state = ORDER.fold(recorded.event for recorded in events)
    write_rows(store.connection, ORDER_PROJECTIONS, [ORDER_PROJECTIONS.row_of(order_id, state, events[-1].version)])


def tamper(database_url: str, statement: str, *values: object) -> None:
    """Change the log as only the owner of its table can: with the trigger that refuses it switched off."""
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE event_store DISABLE TRIGGER event_store_append_only")
        connection.execute(statement, values)
        connection.execute("ALTER TABLE event_store ENABLE ALWAYS TRIGGER event_store_append_only")
