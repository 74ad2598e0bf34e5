"""The import into a real database: whole orders, once."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from eventlib.events import Event, Metadata
from eventlib.orders import ORDER
from eventlib.orders import commands as c
from eventlib.orders import events as e
from eventlib.orders.olist import ImportSummary, OlistSource, import_orders, importer, read_source
from eventlib.orders.olist.history import history_of
from eventlib.orders.olist.quirks import Quirk
from eventlib.orders.olist.refusals import Refusal
from eventlib.orders.olist.source import CUSTOMERS_FILE, ITEMS_FILE, ORDERS_FILE, PAYMENTS_FILE
from eventlib.orders.olist.source_order import read_order
from eventlib.orders.order import Status
from eventlib.store.event_store import Store
from eventlib.store.handle import handle

DELIVERED, SPLIT, CANCELLED, BROKEN = ("0" * 30 + number for number in ("a1", "a2", "a3", "a4"))
STRAY = "e" * 32

FILES = {
    ORDERS_FILE: f"""\
order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,order_delivered_carrier_date,order_delivered_customer_date,order_estimated_delivery_date
{DELIVERED},c1,delivered,10/2/2017 10:56,10/2/2017 11:07,10/4/2017 19:55,10/10/2017 21:25,10/18/2017 0:00
{SPLIT},c2,shipped,2018-07-24 20:41:37,2018-07-26 03:24:27,2018-07-26 14:31:00,,2018-08-13 00:00:00
{CANCELLED},c3,canceled,8/8/2018 8:38,,,,9/4/2018 0:00
{BROKEN},c4,delivered,8/8/2018 8:38,someday,,,9/4/2018 0:00
""",
    ITEMS_FILE: f"""\
order_id,order_item_id,product_id,seller_id,shipping_limit_date,price,freight_value
{DELIVERED},1,lamp,s1,10/6/2017 11:07,29.99,8.72
{SPLIT},1,kettle,s1,2018-07-30 03:24:27,109.9,22.76
{SPLIT},2,kettle,s1,2018-07-30 03:24:27,109.9,22.76
{BROKEN},1,lamp,s1,8/9/2018 8:38,10,1.5
{STRAY},1,lamp,s1,8/9/2018 8:38,7,0.5
""",
    PAYMENTS_FILE: f"""\
order_id,payment_sequential,payment_type,payment_installments,payment_value
{DELIVERED},1,credit_card,1,38.71
{SPLIT},1,voucher,1,100
{SPLIT},2,credit_card,3,165.30
{BROKEN},1,boleto,1,11.5
""",
    CUSTOMERS_FILE: "customer_id,customer_unique_id,customer_zip_code_prefix,customer_city,customer_state\n"
    + "".join(f"c{number},{str(number) * 32},0{number}000,são paulo,SP\n" for number in (1, 2, 3, 4)),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def source(folder: Path) -> OlistSource:
    return read_source(folder)


def events_in(store: Store) -> int:
    row = store.connection.execute("SELECT count(*) FROM event_store").fetchone()
    assert row is not None
    return int(row[0])


def refusals(summary: ImportSummary) -> dict[Refusal, tuple[int, int]]:
    return {count.refusal: (count.orders, count.rows) for count in summary.refusals}


def test_orders_are_in_the_log_as_they_were_told(store: Store, source: OlistSource) -> None:
    import_orders(store, source)
    for order_id in (DELIVERED, SPLIT, CANCELLED):
        history = history_of(read_order(source, source.orders[order_id]))
        recorded = list(store.read(ORDER, history.order_id))
        assert [one.event for one in recorded] == list(history.events)
        assert [one.metadata for one in recorded] == list(history.metadata)
        assert store.load(ORDER, history.order_id).state == history.state


def test_the_summary_accounts_for_every_row(store: Store, source: OlistSource) -> None:
    advanced: list[int] = []
    summary = import_orders(store, source, advanced.append)
    assert (summary.orders, summary.imported, summary.unchanged, summary.refused) == (4, 3, 0, 1)
    assert sum(advanced) == 4
    assert summary.events == events_in(store) == sum(summary.events_by_type.values())
    assert [(one.source_status, one.status, one.in_source, one.in_log, one.refused) for one in summary.statuses] == [
        ("canceled", Status.CANCELLED, 1, 1, 0),
        ("delivered", Status.DELIVERED, 2, 1, 1),
        ("shipped", Status.SHIPPED, 1, 1, 0),
    ]
    assert refusals(summary) == {Refusal.BAD_TIMESTAMP: (1, 0), Refusal.ITEM_WITHOUT_ORDER: (0, 1)}
    assert "line 5, order_approved_at: 'someday'" in summary.refusals[0].examples[0]
    assert {count.quirk: count.orders for count in summary.quirks} == {
        Quirk.NO_ITEMS: 1,
        Quirk.BALANCE_ADJUSTED: 1,
        Quirk.STATUS_TIME_UNKNOWN: 1,
    }
    assert summary.quirks[0].examples == (CANCELLED,)
    assert (summary.items.source_cents, summary.items.log_cents, summary.items.refused_cents) == (26679, 24979, 1700)
    assert (summary.freight.source_cents, summary.freight.log_cents, summary.freight.refused_cents) == (5624, 5424, 200)
    assert (summary.payments.source_cents, summary.payments.log_cents, summary.payments.refused_cents) == (
        31551,
        30401,
        1150,
    )
    assert summary.adjusted_cents == -2
    assert summary.reconciles


def test_importing_twice_adds_nothing(store: Store, source: OlistSource) -> None:
    first = import_orders(store, source)
    before = events_in(store)
    second = import_orders(store, source)
    assert events_in(store) == before
    assert (second.imported, second.unchanged, second.refused, second.events) == (0, 3, 1, 0)
    assert (second.statuses, second.quirks, second.items, second.payments) == (
        first.statuses,
        first.quirks,
        first.items,
        first.payments,
    )
    assert second.reconciles


class OrderCancelled(Event, frozen=True):
    """As it was before it said who had cancelled."""


def test_what_was_imported_before_events_said_who_cancelled_is_unchanged(store: Store, source: OlistSource) -> None:
    kinds = tuple(OrderCancelled if kind is e.OrderCancelled else kind for kind in ORDER.events)
    before = dataclasses.replace(ORDER, events=kinds, upcasters=(), examples=())
    for order_id in (DELIVERED, SPLIT, CANCELLED):
        history = history_of(read_order(source, source.orders[order_id]))
        events = [OrderCancelled() if isinstance(event, e.OrderCancelled) else event for event in history.events]
        store.append(before, history.order_id, 0, events, history.metadata)
    cancellations = "SELECT schema_version, event_data::text FROM event_store WHERE event_type = 'OrderCancelled'"
    assert store.connection.execute(cancellations).fetchall() == [(1, "{}")]
    stored = events_in(store)
    summary = import_orders(store, source)
    assert (summary.imported, summary.unchanged, summary.events, summary.reconciles) == (0, 3, 0, True)
    assert refusals(summary) == {Refusal.BAD_TIMESTAMP: (1, 0), Refusal.ITEM_WITHOUT_ORDER: (0, 1)}
    assert store.connection.execute(cancellations).fetchall() == [(1, "{}")] and events_in(store) == stored


def test_an_interrupted_import_is_taken_up(store: Store, source: OlistSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "BATCH", 1)

    class Interrupted(Exception):
        pass

    def stop(_: int) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        import_orders(store, source, stop)
    summary = import_orders(store, source)
    assert (summary.imported, summary.unchanged) == (2, 1)


def test_an_order_that_went_on_since_is_unchanged(store: Store, source: OlistSource) -> None:
    import_orders(store, source)
    history = history_of(read_order(source, source.orders[DELIVERED]))
    by = Metadata(command_id=history.order_id, correlation_id=history.order_id, actor="support agent s-014")
    handle(store, ORDER, history.order_id, c.RequestRefund("refund-1", 500), by)
    assert import_orders(store, source).unchanged == 3
    assert store.version(history.order_id) == len(history.events) + 1


def test_an_order_that_differs_is_refused_and_left_as_it_is(store: Store, folder: Path, source: OlistSource) -> None:
    import_orders(store, source)
    before = events_in(store)
    items = folder / ITEMS_FILE
    items.write_text(items.read_text().replace("29.99", "29.98"))
    summary = import_orders(store, read_source(folder))
    assert events_in(store) == before
    assert (summary.unchanged, summary.refused) == (2, 2)
    assert refusals(summary)[Refusal.DIFFERS] == (1, 0)
    (differs,) = [count for count in summary.refusals if count.refusal is Refusal.DIFFERS]
    assert f"order {DELIVERED}, version 3" in differs.examples[0]
    assert summary.reconciles


def test_an_order_that_differs_in_its_times_alone_differs(store: Store, folder: Path, source: OlistSource) -> None:
    import_orders(store, source)
    orders = folder / ORDERS_FILE
    orders.write_text(orders.read_text().replace("10/10/2017 21:25", "10/10/2017 21:26"))
    assert refusals(import_orders(store, read_source(folder)))[Refusal.DIFFERS] == (1, 0)


def test_a_longer_history_of_an_order_in_the_log_differs(store: Store, folder: Path, source: OlistSource) -> None:
    import_orders(store, source)
    orders = folder / ORDERS_FILE
    shipped, delivered = ",shipped,", ",delivered,"
    orders.write_text(
        orders.read_text().replace(shipped, delivered).replace("14:31:00,,2018", "14:31:00,2018-08-07 15:27:45,2018")
    )
    summary = import_orders(store, read_source(folder))
    (differs,) = [count for count in summary.refusals if count.refusal is Refusal.DIFFERS]
    assert f"order {SPLIT} ends before version" in differs.examples[0]


def test_what_the_domain_cannot_hold_refuses_its_order_alone(store: Store, folder: Path) -> None:
    items = folder / ITEMS_FILE
    items.write_text(items.read_text().replace("lamp,s1,10/6", f"{'x' * 501},s1,10/6"))
    summary = import_orders(store, read_source(folder))
    assert refusals(summary)[Refusal.NOT_REPRESENTABLE] == (1, 0)
    assert (summary.imported, summary.refused) == (2, 2)
    assert summary.reconciles


def test_two_imports_at_once_write_each_order_once(
    store: Store, database_url: str, source: OlistSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other import writes all orders right before this one does."""
    load = importer.bulk_load
    with Store.open(database_url) as other:

        def overtaken(*arguments: Any, **options: Any) -> int:
            monkeypatch.undo()
            assert import_orders(other, source).imported == 3
            return load(*arguments, **options)

        monkeypatch.setattr(importer, "bulk_load", overtaken)
        summary = import_orders(store, source)
    assert (summary.imported, summary.unchanged) == (0, 3)
    histories = [history_of(read_order(source, source.orders[order])) for order in (DELIVERED, SPLIT, CANCELLED)]
    assert events_in(store) == sum(len(history.events) for history in histories)
