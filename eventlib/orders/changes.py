"""What an event changed about an order, in words; and the whole order, part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from msgspec.structs import asdict

from eventlib.orders.money import amount, money
from eventlib.orders.order import Address, Coupon, Line, Order
from eventlib.orders.sentences import words


@dataclass(frozen=True)
class Part:
    """One thing that an order consists of.

    Attributes:
        key: tells it apart from every other part, also when a sku has the name of a field.
        name: as people call it.
        value: in words.
    """

    key: str
    name: str
    value: str


@dataclass(frozen=True)
class Change:
    """One part that is not as it was: `before` or `after` is empty where there was or is nothing."""

    name: str
    before: str
    after: str


_SUMS: dict[str, Callable[[Order], int]] = {
    "total": lambda order: order.total_cents,
    "paid": lambda order: order.captured_cents,
    "refunded": lambda order: order.refunded_cents,
}


def parts(order: Order, currency: str | None = None) -> list[Part]:
    """A whole order: its status and sums first, then what they come from; what is not there is left out.

    Args:
        currency: of the amounts while the order has none of its own.
    """
    currency = order.currency or currency
    return [
        Part("status", "status", words(order.status)),
        Part("items", "items", f"{order.item_count:,}"),
        *(Part(name, name, money(value(order), currency)) for name, value in _SUMS.items()),
        *_contents(order, currency),
        *([Part("address", "address", _address(order.address))] if order.address else []),
    ]


def changes(before: Order, after: Order) -> list[Change]:
    """Everything that differs between two states of an order, what people ask for first."""
    currency = after.currency or before.currency
    was = {part.key: part for part in _comparable(before, currency)}
    now = {part.key: part for part in _comparable(after, currency)}
    found = [
        Change(part.name, was[key].value if key in was else "", now[key].value if key in now else "")
        for key, part in {**was, **now}.items()
        if was.get(key) != now.get(key)
    ]
    return found + _address_changes(before.address, after.address)


def _comparable(order: Order, currency: str | None) -> Iterator[Part]:
    yield Part("status", "status", words(order.status))
    yield Part("items", "items", f"{order.item_count:,}")
    for name, value in _SUMS.items():
        yield Part(name, name, amount(value(order), currency))
    yield from _contents(order, currency)


def _contents(order: Order, currency: str | None) -> Iterator[Part]:
    for sku, line in order.lines.items():
        yield Part(f"line {sku}", sku, _line(line, currency))
    if order.coupon:
        yield Part("coupon", "coupon", _coupon(order.coupon, currency))
    if order.shipping_cents:
        yield Part("shipping", "shipping", amount(order.shipping_cents, currency))
    if order.adjustment_cents:
        yield Part("adjustment", "adjustment", amount(order.adjustment_cents, currency))
    for key, payment in order.payments.items():
        authorised = f"{amount(payment.authorized_cents, currency)} by {payment.method}"
        yield Part(f"authorised {key}", f"{key} authorised", authorised)
        if payment.captured_cents:
            yield Part(f"captured {key}", f"{key} captured", amount(payment.captured_cents, currency))
    for key, refund in order.refunds.items():
        yield Part(f"requested {key}", f"{key} requested", amount(refund.requested_cents, currency))
        if refund.approved_cents:
            yield Part(f"approved {key}", f"{key} approved", amount(refund.approved_cents, currency))
    if order.user_id:
        yield Part("user", "user", str(order.user_id))
    if order.currency:
        yield Part("currency", "currency", order.currency)


def _address_changes(before: Address | None, after: Address | None) -> list[Change]:
    if before is None or after is None:
        return [] if before is after else [Change("address", "", "given" if after else "taken away")]
    was, now = asdict(before), asdict(after)
    return [Change(words(name), was[name], now[name]) for name in was if was[name] != now[name]]


def _line(line: Line, currency: str | None) -> str:
    return f"{line.quantity:,} at {amount(line.unit_price_cents, currency)}"


def _coupon(coupon: Coupon, currency: str | None) -> str:
    return f"{coupon.code}, {amount(coupon.discount_cents, currency)} off"


def _address(address: Address) -> str:
    region = f", {address.region}" if address.region else ""
    return f"{address.recipient}, {address.street}, {address.postal_code} {address.city}{region}, {address.country}"
