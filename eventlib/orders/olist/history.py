"""One order of the source told as events: the commands that must have been given, put to the order domain itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

import msgspec

from eventlib.errors import DomainError
from eventlib.events import Event, Metadata
from eventlib.orders import ORDER
from eventlib.orders import commands as c
from eventlib.orders.olist.amount import amount_of
from eventlib.orders.olist.local_time import Moment
from eventlib.orders.olist.quirks import Quirk
from eventlib.orders.olist.refusals import OrderRefused, Refusal
from eventlib.orders.olist.source_order import SourceOrder, SourceStatus
from eventlib.orders.order import Order, Status

NAMESPACE = UUID("848f56f8-d81f-4982-8f64-7317fefdb28b")
"""Of the ids that the import derives from the source's: chosen once, at random, and never changed."""

NOT_IN_SOURCE = "not-in-source"
UNKNOWN = "unknown"
CURRENCY = "BRL"
COUNTRY = "BR"

STATUS_OF: dict[SourceStatus, Status] = {
    SourceStatus.CREATED: Status.SUBMITTED,
    SourceStatus.APPROVED: Status.PAID,
    SourceStatus.INVOICED: Status.INVOICED,
    SourceStatus.PROCESSING: Status.PROCESSING,
    SourceStatus.SHIPPED: Status.SHIPPED,
    SourceStatus.DELIVERED: Status.DELIVERED,
    SourceStatus.UNAVAILABLE: Status.UNAVAILABLE,
    SourceStatus.CANCELED: Status.CANCELLED,
}
"""What an order of each source status is after its history."""

_CLOSED = (SourceStatus.CANCELED, SourceStatus.UNAVAILABLE)
_SHIPPED = (SourceStatus.SHIPPED, SourceStatus.DELIVERED)
_PAID = (SourceStatus.APPROVED, SourceStatus.INVOICED, SourceStatus.PROCESSING, *_SHIPPED)


@dataclass(frozen=True)
class History:
    """What is appended for one order.

    Attributes:
        order_id: the stream.
        events: in order; at least one.
        metadata: one for each event.
        state: the fold of the events.
        quirks: what was odd.
        stand_in_cents: the value of the line that stands for items which the source does not tell.
    """

    order_id: UUID
    events: Sequence[Event]
    metadata: Sequence[Metadata]
    state: Order
    quirks: frozenset[Quirk]
    stand_in_cents: int


def history_of(order: SourceOrder) -> History:
    """Tell an order's history.

    Raises:
        OrderRefused: the domain has no legal history that ends in the order's status.
    """
    narration = _Narration(order)
    narration.tell_all()
    expected = STATUS_OF[order.status]
    if narration.state.status is not expected:
        raise OrderRefused(
            Refusal.NOT_REPRESENTABLE, f"order {order.order_id.hex} ends {narration.state.status}, not {expected}"
        )
    return History(
        order.order_id,
        narration.events,
        narration.metadata,
        narration.state,
        frozenset(narration.quirks),
        narration.stand_in_cents,
    )


class _Narration:
    """A history while it is told: each command is decided on the state after the ones before."""

    def __init__(self, order: SourceOrder) -> None:
        self.order = order
        self.state = ORDER.initial()
        self.events: list[Event] = []
        self.metadata: list[Metadata] = []
        self.quirks: set[Quirk] = set()
        self.stand_in_cents = 0
        self._told = 0
        self._correlation_id = uuid5(NAMESPACE, order.order_id.hex)
        self._customer = f"customer {order.user_id.hex[:8]}"
        sellers = {item.seller_id for item in order.items if item.seller_id}
        self._seller = f"seller {sellers.pop()[:8]}" if len(sellers) == 1 else "seller"
        has_content = bool(order.items) or order.paid_cents > 0
        self._is_shipped = order.status in _SHIPPED or (
            order.status is SourceStatus.CANCELED and order.to_carrier is not None and has_content
        )
        self._is_paid = order.status in _PAID or self._is_shipped
        self._captures = self._is_paid or (order.status in _CLOSED and order.approved is not None)

    def tell_all(self) -> None:
        self._place()
        if self.order.items or self.order.paid_cents:
            self._fill_cart()
            self._submit()
            self._pay()
        else:
            self._leave_empty()
        self._finish()
        self._tell_times_without_event()
        if self.order.payments and not self.state.payments:
            self._tell_empty_payments()

    def _tell(self, command: c.Command, actor: str, moment: Moment, reasons: Sequence[str] = ()) -> None:
        try:
            events = ORDER.decide(self.state, command)
        except DomainError as error:
            raise OrderRefused(Refusal.NOT_REPRESENTABLE, f"order {self.order.order_id.hex}: {error}") from None
        self._told += 1
        if moment.quirk is not None:
            self.quirks.add(moment.quirk)
        notes = [*reasons, *([moment.note] if moment.note else [])]
        metadata = Metadata(
            command_id=uuid5(self._correlation_id, str(self._told)),
            correlation_id=self._correlation_id,
            actor=actor,
            reason="; ".join(notes) or None,
            occurred_at=moment.at,
        )
        for event in events:
            self.state = ORDER.evolve(self.state, event)
            self.events.append(event)
            self.metadata.append(metadata)

    def _append_to_last_reason(self, text: str) -> None:
        last = self.metadata[-1]
        self.metadata[-1] = msgspec.structs.replace(last, reason=f"{last.reason}; {text}" if last.reason else text)

    # The cart

    def _place(self) -> None:
        order = self.order
        self._tell(c.PlaceOrder(order.user_id, CURRENCY), self._customer, order.purchased)
        zip_prefix, city, state = order.address.zip_prefix, order.address.city, order.address.state
        reasons = []
        if zip_prefix and len(zip_prefix) < 5:
            self.quirks.add(Quirk.ZIP_PADDED)
            reasons.append(f"the source's zip prefix {zip_prefix} has lost its leading zeros")
        if not (zip_prefix and city and state):
            self.quirks.add(Quirk.ADDRESS_INCOMPLETE)
            reasons.append("the source does not tell all of the address")
        address = c.ChangeAddress(
            recipient=UNKNOWN,
            street=UNKNOWN,
            postal_code=zip_prefix.zfill(5) if zip_prefix else UNKNOWN,
            city=city or UNKNOWN,
            region=state or UNKNOWN,
            country=COUNTRY,
        )
        self._tell(address, self._customer, order.purchased, reasons)

    def _fill_cart(self) -> None:
        order = self.order
        if not order.items:
            self._stand_in()
            return
        first_price = {item.product_id: item.price_cents for item in reversed(order.items)}
        quantities = Counter((item.product_id, item.price_cents) for item in order.items)
        for (product_id, price_cents), quantity in quantities.items():
            sku, reasons = product_id, []
            if price_cents != first_price[product_id]:
                self.quirks.add(Quirk.TWO_PRICES)
                sku = f"{product_id}@{amount_of(price_cents)}"
                reasons.append(f"the source has product {product_id} at several prices in this order")
            self._tell(c.AddItem(sku, quantity, price_cents, self._customer), self._customer, order.purchased, reasons)
        self._tell(c.SetShippingCost(order.freight_cents), self._seller, order.purchased)

    def _stand_in(self) -> None:
        self.quirks.add(Quirk.PAYMENT_WITHOUT_ITEMS)
        self.stand_in_cents = self.order.paid_cents
        line = c.AddItem(NOT_IN_SOURCE, 1, self.stand_in_cents, "importer")
        reason = f"the source has payments of {amount_of(self.stand_in_cents)} and no items: this line stands for them"
        self._tell(line, "importer", self.order.purchased, [reason])

    def _submit(self) -> None:
        self._tell(c.SubmitOrder(), self._customer, self.order.purchased)

    def _leave_empty(self) -> None:
        order = self.order
        if order.status not in _CLOSED:
            raise OrderRefused(Refusal.NOTHING_TO_SUBMIT, f"order {order.order_id.hex} is {order.status}")
        if not order.payments:
            self.quirks.add(Quirk.NO_ITEMS)

    def _tell_empty_payments(self) -> None:
        self.quirks.add(Quirk.ZERO_PAYMENT_WITHOUT_ITEMS)
        listed = ", ".join(f"{payment.number} ({payment.method})" for payment in self.order.payments)
        self._append_to_last_reason(f"the source also has payments of 0.00, which an empty cart cannot take: {listed}")

    # The money

    def _pay(self) -> None:
        if self.order.payments and self.order.paid_cents == 0:
            # Adjusting to nothing due would end paying, so these payments come first; and unless they count, it is not done.
            self._take_payments()
            if self._captures:
                self._adjust()
        else:
            self._adjust()
            self._take_payments()

    def _adjust(self) -> None:
        order = self.order
        asked, paid = self.state.total_cents, order.paid_cents
        if asked == paid or not (order.payments or self._is_paid):
            return
        if order.payments:
            self.quirks.add(Quirk.BALANCE_ADJUSTED)
            reason = (
                f"the source's payments of {amount_of(paid)} are {amount_of(abs(paid - asked))} "
                f"{'more' if paid > asked else 'less'} than its items and freight of {amount_of(asked)}"
            )
        else:
            self.quirks.add(Quirk.NO_PAYMENT)
            reason = f"the source has no payment for this order, and being {order.status} implies that it was paid"
        self._tell(c.AdjustBalance(paid - asked), "importer", order.purchased, [reason])

    def _take_payments(self) -> None:
        order = self.order
        if not order.payments:
            return
        moment, reasons = self._approval()
        numbers = [payment.number for payment in order.payments]
        if numbers != list(range(1, len(numbers) + 1)):
            self.quirks.add(Quirk.PAYMENT_SEQUENCE_GAP)
        if any(payment.cents == 0 for payment in order.payments):
            self.quirks.add(Quirk.ZERO_PAYMENT)
        for payment in order.payments:
            authorize = c.AuthorizePayment(str(payment.number), payment.method, payment.cents)
            self._tell(authorize, "payment service", moment, reasons)
        if self._captures:
            # The capture that leaves nothing due ends paying, so the empty payments go first.
            for payment in sorted(order.payments, key=lambda payment: payment.cents > 0):
                self._tell(c.CapturePayment(str(payment.number)), "payment service", moment, reasons)

    def _approval(self) -> tuple[Moment, list[str]]:
        """When the payments were approved, or else made, and what there is to explain about that."""
        order = self.order
        if not self._captures:
            self.quirks.add(Quirk.PAYMENT_NOT_APPROVED)
            return order.purchased, ["the source's status does not tell that this payment was approved: not captured"]
        if order.approved is None:
            self.quirks.add(Quirk.APPROVAL_TIME_MISSING)
            return order.purchased, ["the source has no approval time: the purchase time is used"]
        if order.approved.at < order.purchased.at:
            self.quirks.add(Quirk.APPROVED_BEFORE_PURCHASE)
            return order.approved, ["the source has the approval before the purchase: kept as told"]
        return order.approved, []

    # The goods

    def _finish(self) -> None:
        order = self.order
        if self._is_shipped:
            self._ship()
        match order.status:
            case SourceStatus.INVOICED:
                self._tell_at_unknown_time(c.InvoiceOrder(UNKNOWN), self._seller)
            case SourceStatus.PROCESSING:
                self._tell_at_unknown_time(c.StartFulfilment(), self._seller)
            case SourceStatus.DELIVERED:
                self._deliver()
            case SourceStatus.UNAVAILABLE:
                self._tell_at_unknown_time(c.MarkUnavailable(), self._seller)
            case SourceStatus.CANCELED:
                if self._is_shipped:
                    self.quirks.add(Quirk.CANCELLED_AFTER_SHIPPING)
                self._tell_at_unknown_time(c.CancelOrder(UNKNOWN), UNKNOWN)

    def _tell_at_unknown_time(self, command: c.Command, actor: str) -> None:
        order = self.order
        self.quirks.add(Quirk.STATUS_TIME_UNKNOWN)
        moment = _latest(order.purchased, order.approved, order.to_carrier, order.delivered)
        self._tell(command, actor, moment, ["the source does not tell when: the latest time that it tells is used"])

    def _ship(self) -> None:
        order = self.order
        reasons = []
        if order.to_carrier is None:
            self.quirks.add(Quirk.CARRIER_TIME_MISSING)
            reasons.append("the source has no carrier time: the latest time known before is used")
        if order.to_carrier and order.to_carrier.at < order.purchased.at:
            self.quirks.add(Quirk.CARRIER_BEFORE_PURCHASE)
            reasons.append("the source has this before the purchase: kept as told")
        if order.to_carrier and order.approved and order.to_carrier.at < order.approved.at:
            self.quirks.add(Quirk.CARRIER_BEFORE_APPROVAL)
            reasons.append("the source has this before the approval: kept as told")
        moment = order.to_carrier or _latest(order.purchased, order.approved)
        self._tell(c.ShipOrder(carrier=UNKNOWN, tracking_number=UNKNOWN), self._seller, moment, reasons)

    def _deliver(self) -> None:
        order = self.order
        reasons = []
        if order.delivered is None:
            self.quirks.add(Quirk.DELIVERY_TIME_MISSING)
            reasons.append("the source has no delivery time: the latest time known before is used")
        if order.delivered and order.to_carrier and order.delivered.at < order.to_carrier.at:
            self.quirks.add(Quirk.DELIVERED_BEFORE_CARRIER)
            reasons.append("the source has this before the carrier time: kept as told")
        if order.delivered and order.approved and order.delivered.at < order.approved.at:
            self.quirks.add(Quirk.DELIVERED_BEFORE_APPROVAL)
            reasons.append("the source has this before the approval: kept as told")
        moment = order.delivered or _latest(order.purchased, order.approved, order.to_carrier)
        self._tell(c.DeliverOrder(), "carrier", moment, reasons)

    def _tell_times_without_event(self) -> None:
        order = self.order
        left_over = [
            ("an approval", order.approved, not (self._captures and self.state.payments)),
            ("a carrier time", order.to_carrier, not self._is_shipped),
            ("a delivery", order.delivered, order.status is not SourceStatus.DELIVERED),
        ]
        told = [
            f"{what} of {moment.at:%Y-%m-%d %H:%M:%S} UTC" for what, moment, is_left in left_over if moment and is_left
        ]
        if told:
            self.quirks.add(Quirk.TIME_WITHOUT_EVENT)
            self._append_to_last_reason(f"the source also has {' and '.join(told)}")


def _latest(first: Moment, *others: Moment | None) -> Moment:
    return max([first, *(moment for moment in others if moment)], key=lambda moment: moment.at)
