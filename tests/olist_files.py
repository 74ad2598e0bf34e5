"""Olist's files with what a test wants in them, and the history of the order that they hold."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from eventlib.orders.olist.history import History, history_of
from eventlib.orders.olist.refusals import OrderRefused
from eventlib.orders.olist.source import (
    CUSTOMERS_FILE,
    ITEMS_FILE,
    ORDERS_FILE,
    PAYMENTS_FILE,
    read_source,
)
from eventlib.orders.olist.source_order import read_order

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
