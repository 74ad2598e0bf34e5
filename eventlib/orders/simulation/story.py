"""The story of one ordinary order, from an empty cart to wherever it ends."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from eventlib.orders import commands as c
from eventlib.orders.order import Status
from eventlib.orders.simulation import catalog
from eventlib.orders.simulation.catalog import Product
from eventlib.orders.simulation.people import (
    BILLING,
    CARRIER,
    PAYMENT_SERVICE,
    SHOP,
    WAREHOUSE,
    address,
    some_customer,
    some_ticket,
    two_agents,
)
from eventlib.orders.simulation.plan import Plan, Sent
from eventlib.orders.simulation.script import Script
from eventlib.orders.simulation.traits import Ending, RaceAt, Refund, Traits

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def tell_order(order_id: UUID, rng: random.Random, start: datetime, traits: Traits) -> Plan:
    """The plan of one order; `rng` and `traits` decide everything in it."""
    story = _Story(Script(order_id, rng, start), traits)
    story.tell()
    return story.script.plan()


class _Story:
    def __init__(self, script: Script, traits: Traits) -> None:
        self.script = script
        self.rng = script.rng
        self.traits = traits
        self.customer = some_customer(self.rng)
        self.agent, self.other_agent = two_agents(self.rng)
        self.carrier = self.rng.choice(catalog.CARRIERS)
        self.last: Sent | None = None  # what the next step follows from

    def tell(self) -> None:
        ending = self.traits.ending
        self._shop()
        if ending is Ending.ABANDONED:
            return
        if ending is Ending.CART_CANCELLED:
            self._cancel(self.rng.choice(catalog.CART_FAREWELLS))
            return
        self._submit()
        if ending is Ending.UNPAID:
            self._fail_to_pay()
            return
        self._pay()
        if ending in (Ending.CANCELLED, Ending.UNAVAILABLE):
            self._end_before_shipping()
            return
        self._fulfil()
        self._ship()
        if ending is Ending.LOST:
            self._lose()
        elif ending is Ending.DELIVERED:
            self._deliver()

    def _say(
        self, command: c.Command, *, times: int = 1, reason: str | None = None, late: timedelta = 0 * SECOND
    ) -> Sent:
        """The customer sends a command from the phone."""
        sent = self.script.compose(command, self.customer.on_phone, reason, lag=late)
        self.last = self.script.send(sent, times)
        return sent

    def _pause(self, least: timedelta, most: timedelta) -> None:
        self.script.wait(least, most)

    # The cart

    def _shop(self) -> None:
        traits, script, rng = self.traits, self.script, self.rng
        placed_at = script.clock
        self._say(c.PlaceOrder(self.customer.user_id, self.customer.currency))
        if traits.submits_empty:
            self._pause(5 * SECOND, MINUTE)
            script.send_in_vain(script.compose(c.SubmitOrder(), self.customer.on_phone))
        products = rng.sample(catalog.PRODUCTS, traits.lines + 3)
        wanted, spare = products[: traits.lines], products[traits.lines :]
        added = [self._add(product, times=2 if traits.taps_twice else 1) for product in wanted[:1]]
        added += [self._add(product) for product in wanted[1:]]
        if traits.stale_price:
            self._add_at_a_stale_price(wanted[0])
        if traits.race is RaceAt.CART:
            self._add_on_two_devices(spare[0], spare[1])
        if traits.removes_item:
            self._change_mind(wanted[-1], spare[2])
        if traits.changes_quantity:
            self._change_quantity()
        if traits.coupon:
            self._use_coupon()
        if traits.adds_offline:
            # It happened before what is recorded already: the phone had no signal and sends it only now.
            self._pause(2 * MINUTE, 10 * MINUTE)
            late = timedelta(seconds=int((script.clock - placed_at).total_seconds()) // 2)
            self._say(self._item(spare[2]), reason="added without signal, sent when the phone was back", late=late)
        if traits.item_again and traits.ending is not Ending.ABANDONED:
            self._pause(10 * SECOND, MINUTE)
            script.send_again(added[0])

    def _item(self, product: Product) -> c.AddItem:
        quantity = self.rng.choices([1, 2, 3, 6], weights=[70, 18, 8, 4])[0]
        return c.AddItem(product.sku, quantity, product.price_cents, self.customer.on_phone.name)

    def _add(self, product: Product, times: int = 1) -> Sent:
        self._pause(8 * SECOND, 4 * MINUTE)
        return self._say(self._item(product), times=times)

    def _add_at_a_stale_price(self, product: Product) -> None:
        self._pause(10 * SECOND, MINUTE)
        stale = c.AddItem(product.sku, 1, product.price_cents - 100, self.customer.on_phone.name)
        sent = self.script.compose(stale, self.customer.on_phone, "from a page that was open since yesterday")
        self.script.send_in_vain(sent)

    def _add_on_two_devices(self, on_tablet: Product, on_phone: Product) -> None:
        self._pause(10 * SECOND, MINUTE)
        winner = self.script.compose(self._item(on_tablet), self.customer.on_tablet)
        loser = self.script.compose(self._item(on_phone), self.customer.on_phone)
        self.script.race(winner, loser)

    def _change_mind(self, product: Product, instead: Product) -> None:
        self._pause(20 * SECOND, 10 * MINUTE)
        removal = c.RemoveItem(product.sku, self.customer.on_phone.name)
        self._say(removal, reason=self.rng.choice(product.regrets))
        if not self.script.state.lines or self.rng.random() < 0.5:
            self._add(instead)

    def _change_quantity(self) -> None:
        self._pause(5 * SECOND, 2 * MINUTE)
        sku, line = self.rng.choice(sorted(self.script.state.lines.items()))
        quantity = line.quantity - 1 if line.quantity > 1 and self.rng.random() < 0.5 else line.quantity + 1
        self._say(c.ChangeQuantity(sku, quantity, self.customer.on_phone.name))

    def _use_coupon(self) -> None:
        first, second = self.rng.sample(catalog.COUPONS, 2)
        self._pause(10 * SECOND, 2 * MINUTE)
        self._say(c.ApplyCoupon(*first))
        if self.traits.swaps_coupon:
            self._pause(10 * SECOND, MINUTE)
            self._say(c.RemoveCoupon(), reason="found a better one")
            self._pause(5 * SECOND, MINUTE)
            self._say(c.ApplyCoupon(*second))

    def _submit(self) -> None:
        traits, script, customer = self.traits, self.script, self.customer
        self._pause(20 * SECOND, 3 * MINUTE)
        self._say(address(customer.recipient, customer.home))
        sent = script.compose(c.SetShippingCost(self.rng.choice(catalog.SHIPPING_CENTS)), SHOP, because=self.last)
        script.send(sent)
        self._pause(10 * SECOND, 2 * MINUTE)
        if traits.race is RaceAt.SUBMISSION:
            self.last = script.compose(c.SubmitOrder(), customer.on_phone)
            forgotten = self._item(self.rng.choice(catalog.PRODUCTS))
            in_cart = script.state.lines.get(forgotten.sku)
            assert in_cart is None or in_cart.unit_price_cents == forgotten.unit_price_cents
            script.race(self.last, script.compose(forgotten, customer.on_tablet, "one more thing"))
        else:
            self._say(c.SubmitOrder(), times=2 if traits.taps_twice else 1)
        if traits.item_too_late:
            self._pause(10 * SECOND, 5 * MINUTE)
            forgotten = self._item(self.rng.choice(catalog.PRODUCTS))
            script.send_in_vain(script.compose(forgotten, customer.on_phone, "forgot one thing"))

    # The money

    def _due(self) -> int:
        return self.script.state.total_cents - self.script.state.authorized_cents

    def _decline(self, number: int, late: timedelta = 0 * SECOND) -> None:
        declined = c.DeclinePayment(f"pay-{number}", self.rng.choice(catalog.CARDS), self._due())
        reason = self.rng.choice(catalog.DECLINES)
        sent = self.script.compose(declined, PAYMENT_SERVICE, reason, lag=late, because=self.last)
        self.script.send(sent)

    def _fail_to_pay(self) -> None:
        if self.script.state.status is not Status.SUBMITTED:
            return
        for number in range(1, self.rng.randint(1, 3) + 1):
            self._pause(5 * SECOND, 20 * MINUTE)
            self._decline(number)
        if self.rng.random() < 0.5:
            self._pause(3 * DAY, 3 * DAY + HOUR)
            self.script.send(
                self.script.compose(c.CancelOrder(SHOP.name), SHOP, "not paid within three days", because=self.last)
            )

    def _pay(self) -> None:
        traits, script, rng = self.traits, self.script, self.rng
        if script.state.status is not Status.SUBMITTED:  # a coupon paid for it all
            return
        if traits.price_match:
            self._pause(5 * MINUTE, 40 * MINUTE)
            less = c.AdjustBalance(-(script.state.total_cents * rng.randint(3, 12) // 100) - 1)
            reason = f"price match with a shop nearby, {some_ticket(rng)}"
            script.send(script.compose(less, self.agent, reason, conversation="support"))
        for number in range(1, traits.declines + 1):
            self._pause(2 * SECOND, 15 * MINUTE)
            if number == traits.declines and traits.late_decline:
                continue
            self._decline(number)
        authorized = self._authorize(traits.declines + 1)
        if traits.declines and traits.late_decline:
            self._pause(MINUTE, 10 * MINUTE)
            late = timedelta(minutes=rng.randint(12, 40))
            self._decline_unreported(traits.declines, late)
        if traits.ending is Ending.CANCELLED and rng.random() < 0.3:
            return
        for sent in authorized:
            self._capture(sent)

    def _decline_unreported(self, number: int, late: timedelta) -> None:
        """An earlier attempt failed, and the issuer reports it only after a later one succeeded."""
        declined = c.DeclinePayment(f"pay-{number}", self.rng.choice(catalog.CARDS), self.script.state.total_cents)
        reason = f"{self.rng.choice(catalog.DECLINES)}; reported late by the issuer"
        self.script.send(self.script.compose(declined, PAYMENT_SERVICE, reason, lag=late, because=self.last))

    def _authorize(self, number: int) -> list[Sent]:
        due = self._due()
        parts = [("gift_card", min(2000, due // 2))] if self.traits.splits_payment and due > 1 else []
        parts.append((self.rng.choice(catalog.CARDS), due - sum(cents for _, cents in parts)))
        authorized = []
        for offset, (method, cents) in enumerate(parts):
            self._pause(2 * SECOND, 3 * MINUTE)
            payment = c.AuthorizePayment(f"pay-{number + offset}", method, cents)
            sent = self.script.compose(payment, PAYMENT_SERVICE, because=self.last)
            authorized.append(self.script.send(sent, times=2 if self.traits.webhook_twice else 1))
        return authorized

    def _capture(self, authorized: Sent) -> None:
        assert isinstance(authorized.command, c.AuthorizePayment)
        self._pause(SECOND, 2 * MINUTE)
        capture = c.CapturePayment(authorized.command.payment_id)
        sent = self.script.compose(capture, PAYMENT_SERVICE, because=authorized)
        if self.traits.race is RaceAt.CAPTURE:
            other_worker = self.script.compose(capture, PAYMENT_SERVICE, because=authorized)
            self.script.race(sent, other_worker)
        else:
            self.script.send(sent, times=2 if self.traits.webhook_twice else 1)
        self.last = sent

    def _refund(self, cents: int, reason: str, number: int = 1) -> None:
        """One agent asks for a refund, another approves it, both in the ticket's conversation."""
        ticket = some_ticket(self.rng)
        self._pause(10 * MINUTE, 5 * HOUR)
        asked = self.script.compose(
            c.RequestRefund(f"r{number}", cents), self.agent, f"{reason}, {ticket}", conversation=ticket
        )
        self.script.send(asked)
        self._pause(20 * MINUTE, 20 * HOUR)
        approval = c.ApproveRefund(f"r{number}")
        self.last = self.script.send(
            self.script.compose(approval, self.other_agent, f"checked, {ticket}", because=asked, conversation=ticket)
        )

    def _refund_what_was_paid(self, reason: str) -> None:
        if self.script.state.captured_cents:
            self._refund(self.script.state.captured_cents, reason)

    # The goods

    def _cancel(self, reason: str) -> None:
        self._pause(MINUTE, 5 * HOUR)
        self._say(c.CancelOrder(self.customer.on_phone.name), reason=reason, times=2 if self.traits.taps_twice else 1)

    def _end_before_shipping(self) -> None:
        script = self.script
        if self.traits.ending is Ending.CANCELLED:
            reason = self.rng.choice(catalog.ORDER_FAREWELLS)
            self._cancel(reason)
        else:
            self._pause(2 * HOUR, 2 * DAY)
            reason = "the last piece was damaged in the warehouse"
            self.last = script.send(script.compose(c.MarkUnavailable(), WAREHOUSE, reason, because=self.last))
        self._refund_what_was_paid(reason)

    def _fulfil(self) -> None:
        traits, script, rng = self.traits, self.script, self.rng
        if traits.invoiced:
            self._pause(SECOND, 10 * MINUTE)
            invoice = c.InvoiceOrder(f"INV-{script.clock:%Y}-{rng.randint(100_000, 999_999)}")
            script.send(script.compose(invoice, BILLING, because=self.last))
        if traits.moves:
            self._pause(10 * MINUTE, 3 * HOUR)
            new_home = rng.choice([place for place in catalog.PLACES if place != self.customer.home])
            moved = address(self.customer.recipient, new_home)
            reason = f"moved last week, {some_ticket(rng)}"
            script.send(script.compose(moved, self.agent, reason, conversation="support"))
        self._pause(30 * MINUTE, 20 * HOUR)
        start = script.compose(c.StartFulfilment(), WAREHOUSE, because=self.last)
        if traits.race is RaceAt.FULFILMENT:
            assert script.state.address is not None
            present = c.ChangeAddress(**msgspec.structs.asdict(script.state.address))
            corrected = msgspec.structs.replace(present, recipient=f"{present.recipient} (ring twice)")
            script.race(start, script.compose(corrected, self.customer.on_phone, "the bell is broken"))
        else:
            script.send(start)
        self.last = start

    def _ship(self) -> None:
        self._pause(HOUR, 30 * HOUR)
        shipment = c.ShipOrder(self.carrier, f"{self.carrier[:2].upper()}{self.rng.randint(10**9, 10**10 - 1)}")
        self.last = self.script.send(self.script.compose(shipment, WAREHOUSE, because=self.last))
        if self.traits.address_too_late:
            self._pause(HOUR, 6 * HOUR)
            elsewhere = address(self.customer.recipient, self.rng.choice(catalog.PLACES))
            self.script.send_in_vain(self.script.compose(elsewhere, self.customer.on_phone, "on holiday from tomorrow"))

    def _lose(self) -> None:
        self._pause(6 * DAY, 12 * DAY)
        reason = f"lost by {self.carrier}, {some_ticket(self.rng)}"
        cancel = c.CancelOrder(self.agent.name)
        self.last = self.script.send(self.script.compose(cancel, self.agent, reason, because=self.last))
        self._refund_what_was_paid(reason)

    def _deliver(self) -> None:
        traits, script, rng = self.traits, self.script, self.rng
        self._pause(20 * HOUR, 5 * DAY)
        reason, late = None, 0 * SECOND
        if traits.late_delivery:
            reason, late = rng.choice(catalog.LATE_SCANS), timedelta(minutes=rng.randint(130, 1_400))
            script.clock += late
        self.last = script.send(script.compose(c.DeliverOrder(), CARRIER, reason, lag=late, because=self.last))
        if traits.cancels_too_late:
            self._pause(HOUR, 8 * HOUR)
            cancel = c.CancelOrder(self.customer.on_phone.name)
            script.send_in_vain(script.compose(cancel, self.customer.on_phone, "changed my mind"))
        paid = script.state.captured_cents
        if traits.refund_too_high:
            self._pause(HOUR, 2 * DAY)
            typo = c.RequestRefund("r0", paid * 10 + 1)
            script.send_in_vain(script.compose(typo, self.agent, f"a zero too many, {some_ticket(rng)}"))
        if traits.refund is Refund.WHOLE:
            self._refund_what_was_paid(rng.choice(catalog.WHOLE_REFUNDS))
        elif traits.refund is Refund.PARTIAL and paid > 1:
            self._refund(max(1, paid * rng.randint(10, 45) // 100), rng.choice(catalog.PARTIAL_REFUNDS))
