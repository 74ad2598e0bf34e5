"""The files of the source: read whole, checked as files, their rows sorted to the orders that they belong to."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from eventlib.errors import ImportRefused

ORDERS_FILE = "olist_orders_dataset.csv"
ITEMS_FILE = "olist_order_items_dataset.csv"
PAYMENTS_FILE = "olist_order_payments_dataset.csv"
CUSTOMERS_FILE = "olist_customers_dataset.csv"


class OrderRow(NamedTuple):
    """A row of the orders file; `line` is its last line in the file, and everything else is text as found."""

    line: int
    order_id: str
    customer_id: str
    order_status: str
    order_purchase_timestamp: str
    order_approved_at: str
    order_delivered_carrier_date: str
    order_delivered_customer_date: str


class ItemRow(NamedTuple):
    """A row of the items file."""

    line: int
    order_id: str
    order_item_id: str
    product_id: str
    seller_id: str
    price: str
    freight_value: str


class PaymentRow(NamedTuple):
    """A row of the payments file."""

    line: int
    order_id: str
    payment_sequential: str
    payment_type: str
    payment_value: str


class CustomerRow(NamedTuple):
    """A row of the customers file."""

    line: int
    customer_id: str
    customer_unique_id: str
    customer_zip_code_prefix: str
    customer_city: str
    customer_state: str


@dataclass(frozen=True)
class OlistSource:
    """Everything that the files tell of the orders, by order id as found; nothing is interpreted yet.

    Attributes:
        orders: the first row of each order id, in the file's order.
        repeated_orders: the lines of further rows with an order id that was there before.
        items: the rows of the items file, by order id.
        payments: the rows of the payments file, by order id.
        customers: the first row of each customer id.
        repeated_customers: the lines of further rows with a customer id that was there before.
        unread_columns: what the files have and events have no place for, as `file: column`.
        unread_files: further CSV files in the folder.
    """

    orders: dict[str, OrderRow]
    repeated_orders: dict[str, list[int]]
    items: dict[str, list[ItemRow]]
    payments: dict[str, list[PaymentRow]]
    customers: dict[str, CustomerRow]
    repeated_customers: dict[str, list[int]]
    unread_columns: tuple[str, ...]
    unread_files: tuple[str, ...]

    def __len__(self) -> int:
        """How many orders the source has."""
        return len(self.orders)


def read_source(folder: Path) -> OlistSource:
    """Read the four order files of a folder: UTF-8, with or without a byte order mark.

    Raises:
        ImportRefused: a file is missing, lacks a column, is not UTF-8 or not CSV, or has a row of another width than its
            header: what can be trusted of it is then unknown. Nothing was imported.
    """
    orders = _read(folder / ORDERS_FILE, OrderRow)
    items = _read(folder / ITEMS_FILE, ItemRow)
    payments = _read(folder / PAYMENTS_FILE, PaymentRow)
    customers = _read(folder / CUSTOMERS_FILE, CustomerRow)
    first_orders, repeated_orders = _first_by(lambda row: row.order_id, orders.rows)
    first_customers, repeated_customers = _first_by(lambda row: row.customer_id, customers.rows)
    read = {ORDERS_FILE, ITEMS_FILE, PAYMENTS_FILE, CUSTOMERS_FILE}
    return OlistSource(
        orders=first_orders,
        repeated_orders=repeated_orders,
        items=_grouped(items.rows),
        payments=_grouped(payments.rows),
        customers=first_customers,
        repeated_customers=repeated_customers,
        unread_columns=(*orders.unread, *items.unread, *payments.unread, *customers.unread),
        unread_files=tuple(sorted(path.name for path in folder.glob("*.csv") if path.name not in read)),
    )


Row = TypeVar("Row", OrderRow, ItemRow, PaymentRow, CustomerRow)
OfOrder = TypeVar("OfOrder", ItemRow, PaymentRow)


@dataclass(frozen=True)
class _File(Generic[Row]):
    rows: list[Row]
    unread: tuple[str, ...]


def _read(path: Path, kind: type[Row]) -> _File[Row]:
    columns = kind._fields[1:]  # all but the line
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            _check_header(path, header, columns)
            places = [header.index(column) for column in columns]
            rows = []
            for cells in reader:
                if not cells:  # an empty line
                    continue
                if len(cells) != len(header):
                    raise ImportRefused(
                        f"{path.name} line {reader.line_num} has {len(cells)} values for {len(header)} columns: "
                        "the file is cut short or not the original"
                    )
                rows.append(kind(reader.line_num, *[cells[place] for place in places]))
    except FileNotFoundError:
        raise ImportRefused(f"{path} does not exist: the import reads four files of the Olist data set") from None
    except OSError as error:
        raise ImportRefused(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ImportRefused(f"{path.name} is not UTF-8: see line {_first_undecodable_line(path)}") from None
    except csv.Error as error:
        raise ImportRefused(f"{path.name} is not CSV: {error} in line {reader.line_num}") from None
    return _File(rows, tuple(f"{path.name}: {column}" for column in header if column not in columns))


def _check_header(path: Path, header: list[str], columns: tuple[str, ...]) -> None:
    missing = [column for column in columns if column not in header]
    if missing:
        raise ImportRefused(f"{path.name} line 1 lacks the column {', '.join(missing)}; it has {', '.join(header)}")
    repeated = sorted({column for column in columns if header.count(column) > 1})
    if repeated:
        raise ImportRefused(f"{path.name} line 1 has the column {', '.join(repeated)} more than once")


def _first_undecodable_line(path: Path) -> int:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 0  # only if the file was changed meanwhile


def _first_by(key: Callable[[Row], str], rows: list[Row]) -> tuple[dict[str, Row], dict[str, list[int]]]:
    """The first row of each key, and the lines of the other rows."""
    first: dict[str, Row] = {}
    repeated: dict[str, list[int]] = {}
    for row in rows:
        if first.setdefault(key(row), row) is not row:
            repeated.setdefault(key(row), []).append(row.line)
    return first, repeated


def _grouped(rows: list[OfOrder]) -> dict[str, list[OfOrder]]:
    by_order: dict[str, list[OfOrder]] = {}
    for row in rows:
        by_order.setdefault(row.order_id, []).append(row)
    return by_order
