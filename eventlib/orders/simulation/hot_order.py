"""The story of a hot order: a company's shared cart, in which many people change their minds thousands of times."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from uuid import UUID

from eventlib.orders import commands as c
from eventlib.orders.simulation import catalog
from eventlib.orders.simulation.people import BILLING, CARRIER, PAYMENT_SERVICE, SHOP, WAREHOUSE, address, some_customer
from eventlib.orders.simulation.plan import Plan, Sent
from eventlib.orders.simulation.script import Actor, Script

BATCH = 50
"""Commands that are appended together: loading and folding thousands of events for each command would take minutes."""

MIN_EVENTS = 12

_BUYERS = 12
_MAX_LINES = 14
_OPENING_EVENTS = 2
_CLOSING_EVENTS = 9


def tell_hot_order(order_id: UUID, rng: random.Random, start: datetime, events: int) -> Plan:
    """The plan of one hot order.

    Args:
        events: how many it will have, at least `MIN_EVENTS`.

    Raises:
        ValueError: fewer events are asked for.
    """
    if events < MIN_EVENTS:
        raise ValueError(f"a hot order has at least {MIN_EVENTS} events, not {events}")
    story = _HotStory(Script(order_id, rng, start))
    story.tell(events)
    return story.script.plan()


class _HotStory:
    def __init__(self, script: Script) -> None:
        self.script = script
        self.rng = script.rng
        self.company = some_customer(self.rng)
        name = self.company.on_phone.name
        self.buyers = [
            Actor(f"{name}, buyer {number:02}", buyer.on_phone.device, buyer.on_phone.ip)
            for number, buyer in enumerate((some_customer(self.rng) for _ in range(_BUYERS)), start=1)
        ]

    def tell(self, events: int) -> None:
        self._open()
        while (missing := events - _CLOSING_EVENTS - self.script.version) > 0:
            self.script.send_together(min(BATCH, missing), self._next_change)
        self._close()

    def _say(self, command: c.Command, actor: Actor, reason: str | None = None) -> Sent:
        return self.script.send(self.script.compose(command, actor, reason))

    def _open(self) -> None:
        self._say(c.PlaceOrder(self.company.user_id, self.company.currency), self.company.on_phone)
        self._say(address(self.company.recipient, self.company.home), self.company.on_phone)
        assert self.script.version == _OPENING_EVENTS

    def _next_change(self) -> Sent:
        """A command that changes the cart, with exactly one event."""
        self.script.wait(timedelta(seconds=2), timedelta(seconds=90))
        buyer = self.rng.choice(self.buyers)
        lines = self.script.state.lines
        what = self.rng.random()
        if not lines or (what < 0.2 and len(lines) < _MAX_LINES):
            return self._add(buyer)
        if what < 0.35:
            sku = self.rng.choice(sorted(lines))
            reason = next(self.rng.choice(product.regrets) for product in catalog.PRODUCTS if product.sku == sku)
            return self.script.compose(c.RemoveItem(sku, buyer.name), buyer, reason)
        if what < 0.42:
            return self._toggle_coupon(buyer)
        if what < 0.45:
            elsewhere = [place for place in catalog.PLACES if place.street != self._street]
            moved = address(self.company.recipient, self.rng.choice(elsewhere))
            return self.script.compose(moved, buyer, "the other office has more room")
        sku = self.rng.choice(sorted(lines))
        quantity = self.rng.choice([number for number in range(1, 25) if number != lines[sku].quantity])
        return self.script.compose(c.ChangeQuantity(sku, quantity, buyer.name), buyer)

    @property
    def _street(self) -> str:
        assert self.script.state.address is not None
        return self.script.state.address.street

    def _add(self, buyer: Actor) -> Sent:
        product = self.rng.choice(catalog.PRODUCTS)
        item = c.AddItem(product.sku, self.rng.randint(1, 6), product.price_cents, buyer.name)
        return self.script.compose(item, buyer)

    def _toggle_coupon(self, buyer: Actor) -> Sent:
        if self.script.state.coupon:
            return self.script.compose(c.RemoveCoupon(), buyer, "not valid for companies")
        return self.script.compose(c.ApplyCoupon(*self.rng.choice(catalog.COUPONS)), buyer)

    def _close(self) -> None:
        script, minute = self.script, timedelta(minutes=1)
        script.wait(minute, 5 * minute)
        script.send(self._add(self.buyers[0]))
        self._say(c.SetShippingCost(4900), SHOP)
        submitted = self._say(c.SubmitOrder(), self.buyers[0], "agreed in the Monday meeting")
        script.wait(minute, 5 * minute)
        payment = c.AuthorizePayment("pay-1", "bank_transfer", script.state.total_cents)
        authorized = script.send(script.compose(payment, PAYMENT_SERVICE, because=submitted))
        captured = script.send(script.compose(c.CapturePayment("pay-1"), PAYMENT_SERVICE, because=authorized))
        invoice = c.InvoiceOrder(f"INV-{script.clock:%Y}-{self.rng.randint(100_000, 999_999)}")
        script.send(script.compose(invoice, BILLING, because=captured))
        script.wait(60 * minute, 600 * minute)
        started = script.send(script.compose(c.StartFulfilment(), WAREHOUSE, because=captured))
        script.wait(60 * minute, 600 * minute)
        shipment = c.ShipOrder(self.rng.choice(catalog.CARRIERS), f"PAL{self.rng.randint(10**6, 10**7 - 1)}")
        shipped = script.send(script.compose(shipment, WAREHOUSE, because=started))
        script.wait(1000 * minute, 4000 * minute)
        script.send(script.compose(c.DeliverOrder(), CARRIER, because=shipped))
