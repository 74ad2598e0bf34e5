"""One order of the source with its rows read: every value typed and checked, nothing left out and nothing invented."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from eventlib.orders.olist.amount import cents_of
from eventlib.orders.olist.local_time import Moment, moment_of
from eventlib.orders.olist.refusals import OrderRefused, Refusal
from eventlib.orders.olist.source import (
    CUSTOMERS_FILE,
    ITEMS_FILE,
    ORDERS_FILE,
    PAYMENTS_FILE,
    CustomerRow,
    ItemRow,
    OlistSource,
    OrderRow,
    PaymentRow,
)

_ID = re.compile(r"[0-9a-f]{32}")
_NUMBER = re.compile(r"[1-9][0-9]{0,5}")
_ZIP_PREFIX = re.compile(r"[0-9]{1,5}")


class SourceStatus(StrEnum):
    """The statuses that the source is known to have."""

    CREATED = "created"
    APPROVED = "approved"
    INVOICED = "invoiced"
    PROCESSING = "processing"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    UNAVAILABLE = "unavailable"
    CANCELED = "canceled"


@dataclass(frozen=True)
class SourceItem:
    number: int
    product_id: str
    seller_id: str
    price_cents: int
    freight_cents: int


@dataclass(frozen=True)
class SourcePayment:
    number: int
    method: str
    cents: int


@dataclass(frozen=True)
class SourceAddress:
    """Zip prefix as found; empty texts are what the source does not tell."""

    zip_prefix: str
    city: str
    state: str


@dataclass(frozen=True)
class SourceOrder:
    """An order as the source tells it; items and payments in the order of their numbers, times in UTC."""

    order_id: UUID
    user_id: UUID
    status: SourceStatus
    purchased: Moment
    approved: Moment | None
    to_carrier: Moment | None
    delivered: Moment | None
    address: SourceAddress
    items: tuple[SourceItem, ...]
    payments: tuple[SourcePayment, ...]

    @property
    def items_cents(self) -> int:
        return sum(item.price_cents for item in self.items)

    @property
    def freight_cents(self) -> int:
        return sum(item.freight_cents for item in self.items)

    @property
    def paid_cents(self) -> int:
        return sum(payment.cents for payment in self.payments)


def read_order(source: OlistSource, row: OrderRow) -> SourceOrder:
    """Read one order's rows.

    Raises:
        OrderRefused: a value cannot be read or is missing, or an id or a number is not unique.
    """
    order_id = _uuid(ORDERS_FILE, row.line, "order_id", row.order_id)
    if row.order_id in source.repeated_orders:
        lines = ", ".join(map(str, [row.line, *source.repeated_orders[row.order_id]]))
        raise OrderRefused(Refusal.REPEATED_ORDER, f"{ORDERS_FILE} lines {lines}: {row.order_id}")
    if row.order_status not in set(SourceStatus):
        raise _refused(Refusal.UNKNOWN_STATUS, ORDERS_FILE, row.line, "order_status", row.order_status)
    purchased = _moment(row.line, "order_purchase_timestamp", row.order_purchase_timestamp)
    if purchased is None:
        raise _refused(Refusal.MISSING_VALUE, ORDERS_FILE, row.line, "order_purchase_timestamp", "")
    customer = _customer(source, row)
    items = sorted((_item(item) for item in source.items.get(row.order_id, ())), key=lambda item: item.number)
    payments = sorted((_payment(paid) for paid in source.payments.get(row.order_id, ())), key=lambda paid: paid.number)
    _refuse_repeated(Refusal.REPEATED_ITEM, ITEMS_FILE, row.order_id, (item.number for item in items))
    _refuse_repeated(Refusal.REPEATED_PAYMENT, PAYMENTS_FILE, row.order_id, (paid.number for paid in payments))
    return SourceOrder(
        order_id=order_id,
        user_id=_uuid(CUSTOMERS_FILE, customer.line, "customer_unique_id", customer.customer_unique_id),
        status=SourceStatus(row.order_status),
        purchased=purchased,
        approved=_moment(row.line, "order_approved_at", row.order_approved_at),
        to_carrier=_moment(row.line, "order_delivered_carrier_date", row.order_delivered_carrier_date),
        delivered=_moment(row.line, "order_delivered_customer_date", row.order_delivered_customer_date),
        address=_address(customer),
        items=tuple(items),
        payments=tuple(payments),
    )


def _refused(refusal: Refusal, file: str, line: int, column: str, value: str) -> OrderRefused:
    return OrderRefused(refusal, f"{file} line {line}, {column}: {value!r}")


def _uuid(file: str, line: int, column: str, value: str) -> UUID:
    if not _ID.fullmatch(value):
        raise _refused(Refusal.BAD_ID, file, line, column, value)
    return UUID(hex=value)


def _moment(line: int, column: str, value: str) -> Moment | None:
    if not value:
        return None
    try:
        return moment_of(value)
    except ValueError:
        raise _refused(Refusal.BAD_TIMESTAMP, ORDERS_FILE, line, column, value) from None


def _cents(file: str, line: int, column: str, value: str) -> int:
    try:
        return cents_of(value)
    except ValueError:
        raise _refused(Refusal.BAD_AMOUNT, file, line, column, value) from None


def _number(file: str, line: int, column: str, value: str) -> int:
    if not _NUMBER.fullmatch(value):
        raise _refused(Refusal.BAD_NUMBER, file, line, column, value)
    return int(value)


def _present(file: str, line: int, column: str, value: str) -> str:
    if not value:
        raise _refused(Refusal.MISSING_VALUE, file, line, column, value)
    return value


def _customer(source: OlistSource, row: OrderRow) -> CustomerRow:
    customer = source.customers.get(row.customer_id)
    if customer is None:
        raise _refused(Refusal.UNKNOWN_CUSTOMER, ORDERS_FILE, row.line, "customer_id", row.customer_id)
    if row.customer_id in source.repeated_customers:
        lines = ", ".join(map(str, [customer.line, *source.repeated_customers[row.customer_id]]))
        raise OrderRefused(Refusal.REPEATED_CUSTOMER, f"{CUSTOMERS_FILE} lines {lines}: {row.customer_id}")
    return customer


def _address(row: CustomerRow) -> SourceAddress:
    zip_prefix = row.customer_zip_code_prefix
    if zip_prefix and not _ZIP_PREFIX.fullmatch(zip_prefix):
        raise _refused(Refusal.BAD_ZIP, CUSTOMERS_FILE, row.line, "customer_zip_code_prefix", zip_prefix)
    return SourceAddress(zip_prefix, row.customer_city, row.customer_state)


def _item(row: ItemRow) -> SourceItem:
    return SourceItem(
        number=_number(ITEMS_FILE, row.line, "order_item_id", row.order_item_id),
        product_id=_present(ITEMS_FILE, row.line, "product_id", row.product_id),
        seller_id=row.seller_id,
        price_cents=_cents(ITEMS_FILE, row.line, "price", row.price),
        freight_cents=_cents(ITEMS_FILE, row.line, "freight_value", row.freight_value),
    )


def _payment(row: PaymentRow) -> SourcePayment:
    return SourcePayment(
        number=_number(PAYMENTS_FILE, row.line, "payment_sequential", row.payment_sequential),
        method=_present(PAYMENTS_FILE, row.line, "payment_type", row.payment_type),
        cents=_cents(PAYMENTS_FILE, row.line, "payment_value", row.payment_value),
    )


def _refuse_repeated(refusal: Refusal, file: str, order_id: str, numbers: Iterable[int]) -> None:
    seen: set[int] = set()
    for number in numbers:
        if number in seen:
            raise OrderRefused(refusal, f"{file}: order {order_id} has number {number} twice")
        seen.add(number)
