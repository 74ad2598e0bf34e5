"""Counting during an import, up to its summary."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from eventlib.orders.olist.amount import cents_of
from eventlib.orders.olist.history import STATUS_OF, History
from eventlib.orders.olist.quirks import Quirk
from eventlib.orders.olist.refusals import OrderRefused, Refusal
from eventlib.orders.olist.source import (
    CUSTOMERS_FILE,
    ITEMS_FILE,
    ORDERS_FILE,
    PAYMENTS_FILE,
    ItemRow,
    OlistSource,
    OrderRow,
    PaymentRow,
)
from eventlib.orders.olist.source_order import SourceStatus
from eventlib.orders.olist.summary import MAX_EXAMPLES, ImportSummary, QuirkCount, RefusalCount, StatusCount, SumCheck
from eventlib.orders.order import Status


@dataclass
class _ColumnSum:
    cents: int = 0
    unreadable_rows: int = 0

    def add(self, text: str) -> None:
        try:
            self.cents += cents_of(text)
        except ValueError:
            self.unreadable_rows += 1


class _Sums:
    """The three columns of amounts, summed over rows as found."""

    def __init__(self) -> None:
        self.items = _ColumnSum()
        self.freight = _ColumnSum()
        self.payments = _ColumnSum()

    def add(self, items: Iterable[ItemRow], payments: Iterable[PaymentRow]) -> None:
        for item in items:
            self.items.add(item.price)
            self.freight.add(item.freight_value)
        for payment in payments:
            self.payments.add(payment.payment_value)


class Tally:
    """The counts of one import. Every order of the source is told to it once: imported, unchanged or refused."""

    def __init__(self, source: OlistSource) -> None:
        self._source = source
        self._imported = self._unchanged = self._refused = 0
        self._events_by_type: Counter[str] = Counter()
        self._in_log: Counter[tuple[str, Status]] = Counter()
        self._refused_by_status: Counter[str] = Counter()
        self._quirks: defaultdict[Quirk, list[str]] = defaultdict(list)
        self._refused_orders: Counter[Refusal] = Counter()
        self._refused_rows: Counter[Refusal] = Counter()
        self._examples: defaultdict[Refusal, list[str]] = defaultdict(list)
        self._refused_sums = _Sums()
        self._items_cents = self._freight_cents = self._captured_cents = self._not_captured_cents = 0
        self._stand_in_cents = self._adjusted_cents = 0
        self._refuse_rows_without_order()

    def imported(self, row: OrderRow, history: History) -> None:
        self._imported += 1
        self._events_by_type.update(type(event).__name__ for event in history.events)
        self._add(row, history)

    def unchanged(self, row: OrderRow, history: History) -> None:
        self._unchanged += 1
        self._add(row, history)

    def refused(self, row: OrderRow, why: OrderRefused) -> None:
        self._refused += 1
        self._refused_by_status[row.order_status] += 1
        self._refused_orders[why.refusal] += 1
        self._add_example(why.refusal, why.detail)
        self._refused_sums.add(self._source.items.get(row.order_id, ()), self._source.payments.get(row.order_id, ()))

    def _add(self, row: OrderRow, history: History) -> None:
        state = history.state
        self._in_log[row.order_status, state.status] += 1
        for quirk in history.quirks:
            self._quirks[quirk].append(row.order_id)
        self._items_cents += state.items_cents
        self._freight_cents += state.shipping_cents
        self._captured_cents += state.captured_cents
        self._not_captured_cents += state.authorized_cents - state.captured_cents
        self._stand_in_cents += history.stand_in_cents
        self._adjusted_cents += state.adjustment_cents

    def _add_example(self, refusal: Refusal, text: str) -> None:
        if len(self._examples[refusal]) < MAX_EXAMPLES:
            self._examples[refusal].append(text)

    def _refuse_row(self, refusal: Refusal, file: str, line: int, value: str) -> None:
        self._refused_rows[refusal] += 1
        self._add_example(refusal, f"{file} line {line}: {value}")

    def _refuse_rows_without_order(self) -> None:
        source = self._source
        for order_id, lines in source.repeated_orders.items():
            for line in lines:
                self._refuse_row(Refusal.REPEATED_ORDER, ORDERS_FILE, line, order_id)
        for order_id, items in source.items.items():
            if order_id not in source.orders:
                self._refused_sums.add(items, ())
                for item in items:
                    self._refuse_row(Refusal.ITEM_WITHOUT_ORDER, ITEMS_FILE, item.line, order_id)
        for order_id, payments in source.payments.items():
            if order_id not in source.orders:
                self._refused_sums.add((), payments)
                for payment in payments:
                    self._refuse_row(Refusal.PAYMENT_WITHOUT_ORDER, PAYMENTS_FILE, payment.line, order_id)
        with_order = {order.customer_id for order in source.orders.values()}
        for customer_id, customer in source.customers.items():
            if customer_id not in with_order:
                for line in (customer.line, *source.repeated_customers.get(customer_id, ())):
                    self._refuse_row(Refusal.CUSTOMER_WITHOUT_ORDER, CUSTOMERS_FILE, line, customer_id)

    def summary(self) -> ImportSummary:
        """The counts so far."""
        source = self._source
        whole = _Sums()
        for items in source.items.values():
            whole.add(items, ())
        for payments in source.payments.values():
            whole.add((), payments)
        refused = self._refused_sums
        return ImportSummary(
            orders=len(source),
            imported=self._imported,
            unchanged=self._unchanged,
            refused=self._refused,
            events=self._events_by_type.total(),
            events_by_type=dict(sorted(self._events_by_type.items())),
            statuses=self._statuses(),
            quirks=tuple(
                QuirkCount(quirk, len(self._quirks[quirk]), tuple(self._quirks[quirk][:MAX_EXAMPLES]))
                for quirk in Quirk
                if self._quirks[quirk]
            ),
            refusals=tuple(
                RefusalCount(refusal, self._refused_orders[refusal], self._refused_rows[refusal], tuple(examples))
                for refusal in Refusal
                if (examples := self._examples[refusal])
            ),
            items=SumCheck(
                "items",
                whole.items.cents,
                whole.items.unreadable_rows,
                refused.items.cents,
                self._items_cents,
                stand_in_cents=self._stand_in_cents,
            ),
            freight=SumCheck(
                "freight",
                whole.freight.cents,
                whole.freight.unreadable_rows,
                refused.freight.cents,
                self._freight_cents,
            ),
            payments=SumCheck(
                "payments",
                whole.payments.cents,
                whole.payments.unreadable_rows,
                refused.payments.cents,
                self._captured_cents,
                not_captured_cents=self._not_captured_cents,
            ),
            adjusted_cents=self._adjusted_cents,
            unread_columns=source.unread_columns,
            unread_files=source.unread_files,
        )

    def _statuses(self) -> tuple[StatusCount, ...]:
        in_source = Counter(row.order_status for row in self._source.orders.values())
        counts = []
        for name, orders in sorted(in_source.items()):
            status = STATUS_OF[SourceStatus(name)] if name in set(SourceStatus) else None
            in_log = self._in_log[name, status] if status else 0
            counts.append(StatusCount(name, status, orders, in_log, self._refused_by_status[name]))
        return tuple(counts)
