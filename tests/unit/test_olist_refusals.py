"""Which orders and which files of Olist's are refused, and with what words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from eventlib.errors import ImportRefused
from eventlib.orders.olist.refusals import Refusal
from eventlib.orders.olist.source import (
    CUSTOMERS_FILE,
    ITEMS_FILE,
    ORDERS_FILE,
    read_source,
)
from tests.olist_files import COLUMNS, Row, customer_row, item_row, order_row, payment_row, refused, write, write_file


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
