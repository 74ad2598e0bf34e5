"""The import without a database: reading the files, and what each quirk and each bad row comes to."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlib.errors import ImportRefused
from eventlib.orders import ORDER
from eventlib.orders import events as e
from eventlib.orders.olist.amount import amount_of, cents_of
from eventlib.orders.olist.history import STATUS_OF, History, history_of
from eventlib.orders.olist.local_time import moment_of
from eventlib.orders.olist.quirks import Quirk
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
    read_source,
)
from eventlib.orders.olist.source_order import SourceStatus, read_order
from eventlib.orders.olist.tally import Tally
from eventlib.orders.order import Status

ORDER_ID = "00" * 15 + "a1"
CUSTOMER_ID = "00" * 15 + "c1"
UNIQUE_ID = "7f3c" + "0" * 28
SELLER = "5e11e400" + "0" * 24
LAMP, KETTLE = "1a" * 16, "2b" * 16

COLUMNS = {
    ORDERS_FILE: "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,"
    "order_delivered_carrier_date,order_delivered_customer_date,order_estimated_delivery_date",
    ITEMS_FILE: "order_id,order_item_id,product_id,seller_id,shipping_limit_date,price,freight_value",
    PAYMENTS_FILE: "order_id,payment_sequential,payment_type,payment_installments,payment_value",
    CUSTOMERS_FILE: "customer_id,customer_unique_id,customer_zip_code_prefix,customer_city,customer_state",
}

Row = Mapping[str, str]


def order_row(**changed: str) -> Row:
    row = {
        "order_id": ORDER_ID,
        "customer_id": CUSTOMER_ID,
        "order_status": "delivered",
        "order_purchase_timestamp": "2017-10-02 10:56:33",
        "order_approved_at": "2017-10-02 11:07:15",
        "order_delivered_carrier_date": "2017-10-04 19:55:00",
        "order_delivered_customer_date": "2017-10-10 21:25:13",
    }
    return row | changed


def item_row(**changed: str) -> Row:
    row = {"order_id": ORDER_ID, "order_item_id": "1", "product_id": LAMP, "seller_id": SELLER}
    return row | {"price": "29.99", "freight_value": "8.72"} | changed


def payment_row(**changed: str) -> Row:
    row = {"order_id": ORDER_ID, "payment_sequential": "1", "payment_type": "credit_card", "payment_value": "38.71"}
    return row | changed


def customer_row(**changed: str) -> Row:
    row = {"customer_id": CUSTOMER_ID, "customer_unique_id": UNIQUE_ID, "customer_zip_code_prefix": "14409"}
    return row | {"customer_city": "franca", "customer_state": "SP"} | changed


def write_file(folder: Path, name: str, rows: Sequence[Row], encoding: str = "utf-8") -> None:
    with (folder / name).open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, COLUMNS[name].split(","), restval="")
        writer.writeheader()
        writer.writerows(rows)


def write(
    folder: Path,
    orders: Sequence[Row] | None = None,
    items: Sequence[Row] | None = None,
    payments: Sequence[Row] | None = None,
    customers: Sequence[Row] | None = None,
) -> Path:
    """The four files, by default with one ordinary order."""
    write_file(folder, ORDERS_FILE, [order_row()] if orders is None else orders)
    write_file(folder, ITEMS_FILE, [item_row()] if items is None else items)
    write_file(folder, PAYMENTS_FILE, [payment_row()] if payments is None else payments)
    write_file(folder, CUSTOMERS_FILE, [customer_row()] if customers is None else customers)
    return folder


def told(folder: Path, **rows: Sequence[Row]) -> History:
    """The history of the only order in files with these rows."""
    source = read_source(write(folder, **rows))
    (row,) = source.orders.values()
    return history_of(read_order(source, row))


def refused(folder: Path, **rows: Sequence[Row]) -> OrderRefused:
    with pytest.raises(OrderRefused) as caught:
        told(folder, **rows)
    return caught.value


def names(history: History) -> list[str]:
    return [type(event).__name__ for event in history.events]


def only(history: History, kind: type[Any]) -> tuple[Any, Any]:
    """The only event of a kind, with its metadata."""
    ((event, metadata),) = [
        (event, about) for event, about in zip(history.events, history.metadata) if isinstance(event, kind)
    ]
    return event, metadata


class TestAmounts:
    @given(st.integers(0, 10**12 - 1))
    def test_every_amount_is_read_back(self, cents: int) -> None:
        assert cents_of(amount_of(cents)) == cents

    @given(st.decimals(min_value=0, max_value=10**9, places=2))
    def test_it_is_what_decimal_says(self, amount: Decimal) -> None:
        assert cents_of(f"{amount:f}") == amount * 100

    @pytest.mark.parametrize(("text", "cents"), [("99", 9900), ("109.9", 10990), ("0", 0), ("0.01", 1), ("007.5", 750)])
    def test_short_forms(self, text: str, cents: int) -> None:
        assert cents_of(text) == cents

    @pytest.mark.parametrize(
        "text", ["", "-1", "+1", "1.234", "1.", ".5", "1e2", "1,50", " 1", "1\n", "NaN", "٣", "9" * 11]
    )
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="is not an amount"):
            cents_of(text)

    @given(st.text(max_size=12))
    def test_whatever_is_read_is_exact(self, text: str) -> None:
        try:
            cents = cents_of(text)
        except ValueError:
            return
        assert Decimal(text) * 100 == cents


class TestLocalTime:
    @pytest.mark.parametrize(
        ("text", "at"),
        [
            ("10/2/2017 10:56", datetime(2017, 10, 2, 13, 56, tzinfo=UTC)),
            ("2017-10-02 10:56:33", datetime(2017, 10, 2, 13, 56, 33, tzinfo=UTC)),
            ("1/9/2018 0:05", datetime(2018, 1, 9, 2, 5, tzinfo=UTC)),  # summer time
            ("12/31/2016 23:59", datetime(2017, 1, 1, 1, 59, tzinfo=UTC)),
        ],
    )
    def test_both_formats_are_sao_paulos_time(self, text: str, at: datetime) -> None:
        moment = moment_of(text)
        assert (moment.at, moment.quirk, moment.note) == (at, None, None)

    def test_a_skipped_time_is_read_with_the_offset_before(self) -> None:
        moment = moment_of("10/15/2017 0:30")
        assert (moment.at, moment.quirk) == (datetime(2017, 10, 15, 3, 30, tzinfo=UTC), Quirk.LOCAL_TIME_SKIPPED)

    def test_of_a_time_that_was_twice_the_earlier_is_taken(self) -> None:
        moment = moment_of("2018-02-17 23:30:00")
        assert (moment.at, moment.quirk) == (datetime(2018, 2, 18, 1, 30, tzinfo=UTC), Quirk.LOCAL_TIME_TWICE)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "2017-10-02",
            "2017-10-02T10:56:33",
            "2/30/2017 10:00",
            "13/1/2017 10:00",
            "1/1/2017 24:00",
            "1/1/2017 1:5",
            "1/1/17 1:00",
            "1/1/2017 10:00:00",
            "0000-01-01 00:00:00",
            "9999-12-31 23:00:00",
        ],
    )
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            moment_of(text)


class TestOrdinaryOrder:
    def test_it_is_told_from_placing_to_delivery(self, tmp_path: Path) -> None:
        history = told(tmp_path)
        customer = "customer 7f3c0000"
        assert list(history.events) == [
            e.OrderPlaced(UUID(UNIQUE_ID), "BRL"),
            e.OrderAddressChanged("unknown", "unknown", "14409", "franca", "SP", "BR"),
            e.OrderItemAdded(LAMP, 1, 2999, customer),
            e.OrderShippingCostSet(872),
            e.OrderSubmitted(3871),
            e.PaymentAuthorized("1", "credit_card", 3871),
            e.PaymentCaptured("1", 3871),
            e.OrderShipped("unknown", "unknown"),
            e.OrderDelivered(),
        ]
        assert history.order_id == UUID(ORDER_ID)
        assert history.state == ORDER.fold(history.events)
        assert history.quirks == frozenset()

    def test_each_event_has_its_actor_and_its_own_time(self, tmp_path: Path) -> None:
        history = told(tmp_path)
        purchased = datetime(2017, 10, 2, 13, 56, 33, tzinfo=UTC)
        approved = datetime(2017, 10, 2, 14, 7, 15, tzinfo=UTC)
        assert [(about.actor, about.occurred_at, about.reason) for about in history.metadata] == [
            ("customer 7f3c0000", purchased, None),
            ("customer 7f3c0000", purchased, None),
            ("customer 7f3c0000", purchased, None),
            ("seller 5e11e400", purchased, None),
            ("customer 7f3c0000", purchased, None),
            ("payment service", approved, None),
            ("payment service", approved, None),
            ("seller 5e11e400", datetime(2017, 10, 4, 22, 55, tzinfo=UTC), None),
            ("carrier", datetime(2017, 10, 11, 0, 25, 13, tzinfo=UTC), None),
        ]
        assert len({about.command_id for about in history.metadata}) == len(history.events)
        assert len({about.correlation_id for about in history.metadata}) == 1

    def test_it_is_the_same_every_time(self, tmp_path: Path) -> None:
        assert told(tmp_path) == told(tmp_path)

    def test_ids_differ_between_orders(self, tmp_path: Path) -> None:
        other = "ff" * 16
        rows = {"items": [item_row(order_id=other)], "payments": [payment_row(order_id=other)]}
        ids = {about.command_id for about in told(tmp_path).metadata}
        assert ids.isdisjoint(
            about.command_id for about in told(tmp_path, orders=[order_row(order_id=other)], **rows).metadata
        )

    def test_pieces_of_one_product_are_one_line(self, tmp_path: Path) -> None:
        items = [item_row(order_item_id=str(number)) for number in (1, 2, 3)]
        history = told(tmp_path, items=items, payments=[payment_row(payment_value="116.13")])
        assert only(history, e.OrderItemAdded)[0].quantity == 3
        assert (history.state.items_cents, history.state.shipping_cents) == (3 * 2999, 3 * 872)

    def test_lines_follow_the_numbers_of_the_items(self, tmp_path: Path) -> None:
        items = [item_row(order_item_id="10", product_id=KETTLE), item_row(order_item_id="9")]
        history = told(tmp_path, items=items, payments=[payment_row(payment_value="77.42")])
        assert list(history.state.lines) == [LAMP, KETTLE]

    def test_with_several_sellers_none_is_named(self, tmp_path: Path) -> None:
        items = [item_row(), item_row(order_item_id="2", product_id=KETTLE, seller_id="ab" * 16)]
        history = told(tmp_path, items=items, payments=[payment_row(payment_value="77.42")])
        assert only(history, e.OrderShipped)[1].actor == "seller"

    @pytest.mark.parametrize("status", list(SourceStatus))
    def test_each_status_of_the_source_has_one_of_the_domain(self, tmp_path: Path, status: SourceStatus) -> None:
        times = {} if status in ("shipped", "delivered") else {"order_delivered_carrier_date": ""}
        times |= {} if status == "delivered" else {"order_delivered_customer_date": ""}
        times |= {"order_approved_at": ""} if status == "created" else {}
        history = told(tmp_path, orders=[order_row(order_status=status, **times)])
        assert history.state.status is STATUS_OF[status]
        assert history.state.captured_cents == (0 if status == "created" else 3871)
        told_later = {SourceStatus.INVOICED, SourceStatus.PROCESSING, SourceStatus.UNAVAILABLE, SourceStatus.CANCELED}
        expected = {Quirk.STATUS_TIME_UNKNOWN} if status in told_later else set()
        assert history.quirks == expected | ({Quirk.PAYMENT_NOT_APPROVED} if status == "created" else set())
        if status in told_later:
            assert history.metadata[-1].occurred_at == datetime(2017, 10, 2, 14, 7, 15, tzinfo=UTC)
            assert history.metadata[-1].reason


class TestQuirks:
    def test_without_items_and_payments_it_is_never_submitted(self, tmp_path: Path) -> None:
        orders = [order_row(order_status="canceled", order_delivered_carrier_date="", order_delivered_customer_date="")]
        history = told(tmp_path, orders=orders, items=[], payments=[])
        assert names(history) == ["OrderPlaced", "OrderAddressChanged", "OrderCancelled"]
        assert history.quirks == {Quirk.NO_ITEMS, Quirk.STATUS_TIME_UNKNOWN, Quirk.TIME_WITHOUT_EVENT}
        assert "an approval of 2017-10-02 14:07:15 UTC" in (history.metadata[-1].reason or "")

    def test_payments_of_nothing_without_items_are_told_in_the_reason(self, tmp_path: Path) -> None:
        orders = [
            order_row(order_status="unavailable", order_delivered_carrier_date="", order_delivered_customer_date="")
        ]
        payments = [payment_row(payment_type="not_defined", payment_value="0")]
        history = told(tmp_path, orders=orders, items=[], payments=payments)
        assert names(history)[-1] == "OrderMarkedUnavailable"
        assert Quirk.ZERO_PAYMENT_WITHOUT_ITEMS in history.quirks
        assert "1 (not_defined)" in (history.metadata[-1].reason or "")

    def test_payments_without_items_get_a_line_that_stands_for_them(self, tmp_path: Path) -> None:
        history = told(tmp_path, items=[])
        line, about = only(history, e.OrderItemAdded)
        assert (line.sku, line.unit_price_cents, about.actor) == ("not-in-source", 3871, "importer")
        assert "38.71" in about.reason
        assert history.stand_in_cents == history.state.captured_cents == 3871
        assert history.quirks == {Quirk.PAYMENT_WITHOUT_ITEMS}

    def test_a_product_at_two_prices_becomes_two_lines(self, tmp_path: Path) -> None:
        items = [item_row(), item_row(order_item_id="2", price="1250"), item_row(order_item_id="3")]
        history = told(tmp_path, items=items, payments=[payment_row(payment_value="1336.14")])
        assert {sku: line.quantity for sku, line in history.state.lines.items()} == {LAMP: 2, f"{LAMP}@1250.00": 1}
        assert history.quirks == {Quirk.TWO_PRICES}
        assert history.metadata[3].reason

    def test_a_short_zip_prefix_is_padded(self, tmp_path: Path) -> None:
        history = told(tmp_path, customers=[customer_row(customer_zip_code_prefix="3052")])
        address, about = only(history, e.OrderAddressChanged)
        assert address.postal_code == "03052" and "3052" in about.reason
        assert history.quirks == {Quirk.ZIP_PADDED}

    @pytest.mark.parametrize("column", ["customer_zip_code_prefix", "customer_city", "customer_state"])
    def test_an_incomplete_address_says_so(self, tmp_path: Path, column: str) -> None:
        history = told(tmp_path, customers=[customer_row(**{column: ""})])
        address, about = only(history, e.OrderAddressChanged)
        assert [address.postal_code, address.city, address.region].count("unknown") == 1 and about.reason
        assert history.quirks == {Quirk.ADDRESS_INCOMPLETE}

    @pytest.mark.parametrize(("paid", "adjustment", "word"), [("40.00", 129, "1.29 more"), ("38.70", -1, "0.01 less")])
    def test_a_difference_is_adjusted_before_paying(
        self, tmp_path: Path, paid: str, adjustment: int, word: str
    ) -> None:
        history = told(tmp_path, payments=[payment_row(payment_value=paid)])
        event, about = only(history, e.OrderBalanceAdjusted)
        assert event.amount_cents == adjustment and word in about.reason and about.actor == "importer"
        assert names(history).index("OrderBalanceAdjusted") == names(history).index("OrderSubmitted") + 1
        assert history.quirks == {Quirk.BALANCE_ADJUSTED}

    def test_delivered_without_payment_nothing_is_due(self, tmp_path: Path) -> None:
        history = told(tmp_path, payments=[])
        assert only(history, e.OrderBalanceAdjusted)[0].amount_cents == -3871
        assert history.state.status is Status.DELIVERED and history.state.total_cents == 0
        assert history.quirks == {Quirk.NO_PAYMENT, Quirk.TIME_WITHOUT_EVENT}

    def test_every_payment_is_kept_even_of_nothing(self, tmp_path: Path) -> None:
        payments = [
            payment_row(payment_sequential="3", payment_type="voucher", payment_value="0"),
            payment_row(payment_sequential="2", payment_type="voucher", payment_value="30.00"),
            payment_row(payment_sequential="1", payment_value="8.71"),
        ]
        history = told(tmp_path, payments=payments)
        assert {number: paid.captured_cents for number, paid in history.state.payments.items()} == {
            "1": 871,
            "2": 3000,
            "3": 0,
        }
        assert names(history).count("PaymentCaptured") == 3
        assert history.quirks == {Quirk.ZERO_PAYMENT}

    def test_only_payments_of_nothing_leave_nothing_due(self, tmp_path: Path) -> None:
        history = told(tmp_path, payments=[payment_row(payment_value="0")])
        assert history.state.status is Status.DELIVERED
        assert names(history).count("PaymentCaptured") == 1
        assert history.quirks == {Quirk.ZERO_PAYMENT, Quirk.BALANCE_ADJUSTED}

    def test_a_gap_in_the_payment_numbers_is_kept(self, tmp_path: Path) -> None:
        history = told(tmp_path, payments=[payment_row(payment_sequential="2")])
        assert list(history.state.payments) == ["2"]
        assert history.quirks == {Quirk.PAYMENT_SEQUENCE_GAP}

    def test_without_approval_a_cancelled_order_was_not_paid(self, tmp_path: Path) -> None:
        times = {"order_approved_at": "", "order_delivered_carrier_date": "", "order_delivered_customer_date": ""}
        history = told(tmp_path, orders=[order_row(order_status="canceled", **times)])
        assert (history.state.authorized_cents, history.state.captured_cents) == (3871, 0)
        assert Quirk.PAYMENT_NOT_APPROVED in history.quirks

    def test_a_missing_approval_time_is_the_purchase_time(self, tmp_path: Path) -> None:
        history = told(tmp_path, orders=[order_row(order_approved_at="")])
        _, about = only(history, e.PaymentCaptured)
        assert about.occurred_at == history.metadata[0].occurred_at and about.reason
        assert history.quirks == {Quirk.APPROVAL_TIME_MISSING}

    def test_missing_carrier_and_delivery_times_are_the_latest_before(self, tmp_path: Path) -> None:
        times = {"order_delivered_carrier_date": "", "order_delivered_customer_date": ""}
        history = told(tmp_path, orders=[order_row(**times)])
        approved = only(history, e.PaymentCaptured)[1].occurred_at
        for kind in (e.OrderShipped, e.OrderDelivered):
            _, about = only(history, kind)
            assert about.occurred_at == approved and about.reason
        assert history.quirks == {Quirk.CARRIER_TIME_MISSING, Quirk.DELIVERY_TIME_MISSING}

    @pytest.mark.parametrize(
        ("column", "time", "kind", "quirks"),
        [
            ("order_approved_at", "10/1/2017 8:00", e.PaymentCaptured, {Quirk.APPROVED_BEFORE_PURCHASE}),
            ("order_delivered_carrier_date", "10/2/2017 11:00", e.OrderShipped, {Quirk.CARRIER_BEFORE_APPROVAL}),
            (
                "order_delivered_carrier_date",
                "10/1/2017 11:00",
                e.OrderShipped,
                {Quirk.CARRIER_BEFORE_APPROVAL, Quirk.CARRIER_BEFORE_PURCHASE},
            ),
            ("order_delivered_customer_date", "10/3/2017 9:00", e.OrderDelivered, {Quirk.DELIVERED_BEFORE_CARRIER}),
            (
                "order_delivered_customer_date",
                "10/2/2017 11:00",
                e.OrderDelivered,
                {Quirk.DELIVERED_BEFORE_APPROVAL, Quirk.DELIVERED_BEFORE_CARRIER},
            ),
        ],
    )
    def test_times_out_of_order_are_kept(
        self, tmp_path: Path, column: str, time: str, kind: type[Any], quirks: set[Quirk]
    ) -> None:
        history = told(tmp_path, orders=[order_row(**{column: time})])
        _, about = only(history, kind)
        assert about.occurred_at == moment_of(time).at and "kept as told" in about.reason
        assert history.quirks == quirks
        assert names(history)[-2:] == ["OrderShipped", "OrderDelivered"]

    def test_cancelled_after_shipping_with_a_delivery(self, tmp_path: Path) -> None:
        history = told(tmp_path, orders=[order_row(order_status="canceled")])
        assert names(history)[-2:] == ["OrderShipped", "OrderCancelled"]
        assert "a delivery of 2017-10-11 00:25:13 UTC" in (history.metadata[-1].reason or "")
        expected = {Quirk.CANCELLED_AFTER_SHIPPING, Quirk.STATUS_TIME_UNKNOWN, Quirk.TIME_WITHOUT_EVENT}
        assert history.quirks == expected

    def test_a_repaired_local_time_is_explained(self, tmp_path: Path) -> None:
        history = told(tmp_path, orders=[order_row(order_delivered_carrier_date="10/15/2017 0:30")])
        _, about = only(history, e.OrderShipped)
        assert about.occurred_at == datetime(2017, 10, 15, 3, 30, tzinfo=UTC)
        assert "clocks skipped" in about.reason
        assert Quirk.LOCAL_TIME_SKIPPED in history.quirks

    def test_every_quirk_has_a_sentence_and_a_code_of_its_own(self) -> None:
        assert len({quirk.code for quirk in Quirk}) == len({quirk.sentence for quirk in Quirk}) == len(Quirk)
        assert {quirk.action for quirk in Quirk} == {"kept", "repaired"}


class TestRefusedOrders:
    @pytest.mark.parametrize(
        ("refusal", "where", "rows"),
        [
            (Refusal.BAD_ID, "order_id: 'nonsense'", {"orders": [order_row(order_id="nonsense")]}),
            (Refusal.BAD_ID, "customer_unique_id", {"customers": [customer_row(customer_unique_id="F" * 32)]}),
            (Refusal.REPEATED_ORDER, "lines 2, 3", {"orders": [order_row(), order_row()]}),
            (Refusal.REPEATED_CUSTOMER, "lines 2, 3", {"customers": [customer_row(), customer_row()]}),
            (Refusal.UNKNOWN_CUSTOMER, "line 2, customer_id", {"customers": []}),
            (Refusal.UNKNOWN_STATUS, "order_status: 'lost'", {"orders": [order_row(order_status="lost")]}),
            (Refusal.BAD_TIMESTAMP, "order_approved_at: 'soon'", {"orders": [order_row(order_approved_at="soon")]}),
            (Refusal.BAD_AMOUNT, "price: '29.999'", {"items": [item_row(price="29.999")]}),
            (Refusal.BAD_AMOUNT, "freight_value: '-1'", {"items": [item_row(freight_value="-1")]}),
            (Refusal.BAD_AMOUNT, "payment_value: ''", {"payments": [payment_row(payment_value="")]}),
            (Refusal.BAD_NUMBER, "order_item_id: '0'", {"items": [item_row(order_item_id="0")]}),
            (Refusal.BAD_NUMBER, "payment_sequential: 'x'", {"payments": [payment_row(payment_sequential="x")]}),
            (Refusal.BAD_ZIP, "'0144091'", {"customers": [customer_row(customer_zip_code_prefix="0144091")]}),
            (Refusal.MISSING_VALUE, "order_purchase_timestamp", {"orders": [order_row(order_purchase_timestamp="")]}),
            (Refusal.MISSING_VALUE, "product_id", {"items": [item_row(product_id="")]}),
            (Refusal.MISSING_VALUE, "payment_type", {"payments": [payment_row(payment_type="")]}),
            (Refusal.REPEATED_ITEM, "number 1 twice", {"items": [item_row(), item_row()]}),
            (Refusal.REPEATED_PAYMENT, "number 1 twice", {"payments": [payment_row(), payment_row()]}),
            (Refusal.NOTHING_TO_SUBMIT, "is delivered", {"items": [], "payments": []}),
            (
                Refusal.NOT_REPRESENTABLE,
                "payment 1 cannot be authorised",
                {"items": [item_row(price="0", freight_value="0")], "payments": [payment_row(payment_value="0")]},
            ),
        ],
    )
    def test_the_reason_says_where_and_what(
        self, tmp_path: Path, refusal: Refusal, where: str, rows: dict[str, Sequence[Row]]
    ) -> None:
        why = refused(tmp_path, **rows)
        assert why.refusal is refusal
        assert where in why.detail


class TestRefusedFiles:
    @pytest.mark.parametrize("name", COLUMNS)
    def test_a_missing_file(self, tmp_path: Path, name: str) -> None:
        (write(tmp_path) / name).unlink()
        with pytest.raises(ImportRefused, match=f"{name} does not exist"):
            read_source(tmp_path)

    @pytest.mark.parametrize("name", COLUMNS)
    def test_a_missing_column(self, tmp_path: Path, name: str) -> None:
        path = write(tmp_path) / name
        path.write_text(path.read_text().replace("order_id", "id").replace("customer_city", "town"))
        with pytest.raises(ImportRefused, match=rf"{name} line 1 lacks the column"):
            read_source(tmp_path)

    def test_an_empty_file(self, tmp_path: Path) -> None:
        (write(tmp_path) / ITEMS_FILE).write_text("")
        with pytest.raises(ImportRefused, match="lacks the column order_id, order_item_id"):
            read_source(tmp_path)

    def test_a_column_that_is_there_twice(self, tmp_path: Path) -> None:
        path = write(tmp_path) / ITEMS_FILE
        path.write_text("".join(line.replace("\n", ",\n") for line in path.read_text().splitlines(keepends=True)))
        path.write_text(path.read_text().replace("freight_value,", "freight_value,price", 1))
        with pytest.raises(ImportRefused, match="has the column price more than once"):
            read_source(tmp_path)

    def test_another_encoding_names_the_line(self, tmp_path: Path) -> None:
        write(tmp_path)
        cities = [customer_row(), customer_row(customer_id="d" * 32, customer_city="são paulo")]
        write_file(tmp_path, CUSTOMERS_FILE, cities, encoding="latin-1")
        with pytest.raises(ImportRefused, match=f"{CUSTOMERS_FILE} is not UTF-8: see line 3"):
            read_source(tmp_path)

    def test_a_row_that_was_cut_short(self, tmp_path: Path) -> None:
        path = write(tmp_path) / ORDERS_FILE
        path.write_text(path.read_text().rsplit(",", 3)[0])
        with pytest.raises(ImportRefused, match=f"{ORDERS_FILE} line 2 has 5 values for 8 columns"):
            read_source(tmp_path)

    def test_a_quote_that_never_ends(self, tmp_path: Path) -> None:
        path = write(tmp_path) / CUSTOMERS_FILE
        path.write_text(path.read_text() + 'x,y,1,"sao paulo,SP\n')
        with pytest.raises(ImportRefused, match=f"{CUSTOMERS_FILE} is not CSV"):
            read_source(tmp_path)

    def test_a_folder_in_the_place_of_a_file(self, tmp_path: Path) -> None:
        (write(tmp_path) / ORDERS_FILE).unlink()
        (tmp_path / ORDERS_FILE).mkdir()
        with pytest.raises(ImportRefused, match=f"{ORDERS_FILE} cannot be read"):
            read_source(tmp_path)

    def test_a_byte_order_mark_and_empty_lines_are_no_fault(self, tmp_path: Path) -> None:
        write(tmp_path)
        for name in COLUMNS:
            path = tmp_path / name
            path.write_text(path.read_text() + "\n\n", encoding="utf-8-sig")
        assert len(read_source(tmp_path)) == 1


def test_what_is_not_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "olist_order_reviews_dataset.csv").touch()
    source = read_source(write(tmp_path))
    assert source.unread_files == ("olist_order_reviews_dataset.csv",)
    assert source.unread_columns == (
        f"{ORDERS_FILE}: order_estimated_delivery_date",
        f"{ITEMS_FILE}: shipping_limit_date",
        f"{PAYMENTS_FILE}: payment_installments",
    )


def test_rows_without_an_order_are_counted_with_their_money(tmp_path: Path) -> None:
    stray = "ee" * 16
    source = read_source(
        write(
            tmp_path,
            items=[item_row(), item_row(order_id=stray, price="1.00", freight_value="0.50")],
            payments=[payment_row(), payment_row(order_id=stray, payment_value="1.50")],
            customers=[customer_row(), customer_row(customer_id=stray), customer_row(customer_id=stray)],
        )
    )
    tally = Tally(source)
    (row,) = source.orders.values()
    tally.imported(row, history_of(read_order(source, row)))
    summary = tally.summary()
    assert {count.refusal: (count.orders, count.rows) for count in summary.refusals} == {
        Refusal.ITEM_WITHOUT_ORDER: (0, 1),
        Refusal.PAYMENT_WITHOUT_ORDER: (0, 1),
        Refusal.CUSTOMER_WITHOUT_ORDER: (0, 2),
    }
    assert (summary.items.refused_cents, summary.freight.refused_cents, summary.payments.refused_cents) == (
        100,
        50,
        150,
    )
    assert summary.reconciles


def test_an_unreadable_amount_never_reconciles(tmp_path: Path) -> None:
    source = read_source(write(tmp_path, items=[item_row(price="free")]))
    tally = Tally(source)
    (row,) = source.orders.values()
    tally.refused(row, OrderRefused(Refusal.BAD_AMOUNT, "line 2"))
    summary = tally.summary()
    assert (summary.items.unreadable_rows, summary.items.difference_cents) == (1, 0)
    assert not summary.reconciles
    assert summary.payments.reconciles and summary.payments.refused_cents == 3871


def test_an_order_that_got_lost_on_the_way_is_noticed(tmp_path: Path) -> None:
    summary = Tally(read_source(write(tmp_path))).summary()
    assert not summary.reconciles
    assert (summary.items.difference_cents, summary.freight.difference_cents) == (2999, 872)
    assert summary.payments.difference_cents == 3871
    assert not summary.statuses[0].agrees


SECONDS = st.integers(0, 800 * 86_400).map(
    lambda seconds: datetime(2016, 9, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
TIMES = st.one_of(st.just(""), SECONDS.map(lambda time: f"{time:%Y-%m-%d %H:%M:%S}"))
AMOUNTS = st.integers(0, 50_000).map(amount_of)


@st.composite
def sources(draw: st.DrawFn) -> OlistSource:
    """Any one order of the right form, however improbable."""
    purchased = draw(TIMES.filter(bool))
    status = draw(st.sampled_from([*SourceStatus, "lost"]))
    order = OrderRow(2, ORDER_ID, CUSTOMER_ID, status, purchased, draw(TIMES), draw(TIMES), draw(TIMES))
    items = [
        ItemRow(
            number, ORDER_ID, str(number), draw(st.sampled_from([LAMP, KETTLE])), SELLER, draw(AMOUNTS), draw(AMOUNTS)
        )
        for number in range(1, draw(st.integers(0, 4)) + 1)
    ]
    payments = [
        PaymentRow(number, ORDER_ID, str(number), "voucher", draw(st.one_of(AMOUNTS, st.just("0"))))
        for number in range(1, draw(st.integers(0, 3)) + 1)
    ]
    customer = CustomerRow(2, CUSTOMER_ID, UNIQUE_ID, draw(st.sampled_from(["", "1", "14409"])), "franca", "SP")
    return OlistSource(
        orders={ORDER_ID: order},
        repeated_orders={},
        items={ORDER_ID: items},
        payments={ORDER_ID: payments},
        customers={CUSTOMER_ID: customer},
        repeated_customers={},
        unread_columns=(),
        unread_files=(),
    )


@given(sources())
def test_any_order_reconciles_whether_it_is_told_or_refused(source: OlistSource) -> None:
    tally = Tally(source)
    (row,) = source.orders.values()
    try:
        history = history_of(read_order(source, row))
    except OrderRefused as why:
        tally.refused(row, why)
    else:
        assert ORDER.fold(history.events) == history.state
        assert len(history.events) == len(history.metadata)
        assert all(about.occurred_at for about in history.metadata)
        assert history.state.status is STATUS_OF[SourceStatus(row.order_status)]
        tally.imported(row, history)
    assert tally.summary().reconciles
