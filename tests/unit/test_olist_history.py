"""What an order in Olist's files comes to: an ordinary one, and one with each quirk."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from eventlib.orders import ORDER
from eventlib.orders import events as e
from eventlib.orders.olist.history import STATUS_OF
from eventlib.orders.olist.local_time import moment_of
from eventlib.orders.olist.quirks import Quirk
from eventlib.orders.olist.source_order import SourceStatus
from eventlib.orders.order import Status
from tests.olist_files import (
    KETTLE,
    LAMP,
    ORDER_ID,
    UNIQUE_ID,
    customer_row,
    item_row,
    names,
    only,
    order_row,
    payment_row,
    told,
)


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
