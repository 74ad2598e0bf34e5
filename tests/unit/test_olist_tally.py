"""What an import says of itself adds up, whatever the files hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from eventlib.orders import ORDER
from eventlib.orders.olist.amount import amount_of
from eventlib.orders.olist.history import STATUS_OF, history_of
from eventlib.orders.olist.refusals import OrderRefused, Refusal
from eventlib.orders.olist.source import (
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
from tests.olist_files import (
    CUSTOMER_ID,
    KETTLE,
    LAMP,
    ORDER_ID,
    SELLER,
    UNIQUE_ID,
    customer_row,
    item_row,
    payment_row,
    write,
)


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
