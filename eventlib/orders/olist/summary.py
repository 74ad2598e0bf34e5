"""What came of an import: counted so that every row of the source is accounted for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eventlib.orders.olist.quirks import Quirk
from eventlib.orders.olist.refusals import Refusal
from eventlib.orders.order import Status

MAX_EXAMPLES = 5


@dataclass(frozen=True)
class StatusCount:
    """Orders of one status of the source.

    Attributes:
        source_status: as the source names it.
        status: what the domain names it; None when the source's status is unknown.
        in_source: orders with it in the source.
        in_log: those of them whose events are in the log and fold to `status`.
        refused: those of them that were not imported.
    """

    source_status: str
    status: Status | None
    in_source: int
    in_log: int
    refused: int

    @property
    def agrees(self) -> bool:
        """Whether every order of the source is in the log or refused."""
        return self.in_source == self.in_log + self.refused


@dataclass(frozen=True)
class QuirkCount:
    quirk: Quirk
    orders: int
    examples: tuple[str, ...]
    """Up to five order ids, as the source writes them."""


@dataclass(frozen=True)
class RefusalCount:
    refusal: Refusal
    orders: int
    rows: int
    """Rows that belong to no order of the source, or repeat one."""
    examples: tuple[str, ...]
    """Up to five places or orders, with the value found."""


@dataclass(frozen=True)
class SumCheck:
    """One sum of money, in the source and in the log, in cents.

    Attributes:
        what: `items`, `freight` or `payments`.
        source_cents: the column's sum over all rows of the file that can be read.
        unreadable_rows: rows whose amount cannot be read; they are in none of the sums.
        refused_cents: of rows that belong to refused orders or to none.
        log_cents: of the orders in the log; of payments, what was captured.
        not_captured_cents: of payments in the log, what was authorised and never captured.
        stand_in_cents: what the import made up to stand for items that the source does not tell; part of `log_cents`.
    """

    what: Literal["items", "freight", "payments"]
    source_cents: int
    unreadable_rows: int
    refused_cents: int
    log_cents: int
    not_captured_cents: int = 0
    stand_in_cents: int = 0

    @property
    def difference_cents(self) -> int:
        """What is in the source and neither in the log nor refused."""
        told = self.log_cents - self.stand_in_cents + self.not_captured_cents
        return self.source_cents - self.refused_cents - told

    @property
    def reconciles(self) -> bool:
        """Whether every cent of the source is accounted for; never with unreadable amounts."""
        return self.difference_cents == 0 and self.unreadable_rows == 0


@dataclass(frozen=True)
class ImportSummary:
    """What an import did.

    Attributes:
        orders: distinct order ids in the source.
        imported: orders appended now.
        unchanged: orders that were in the log already with exactly this history, whatever was appended to them since.
        refused: orders that were not imported, for one of `refusals`.
        events: appended now.
        events_by_type: of those, by name, sorted.
        statuses: per status of the source.
        quirks: those that occurred in orders of the log, in the order of `Quirk`.
        refusals: those that occurred, in the order of `Refusal`.
        items: sum of the prices.
        freight: sum of the freight values.
        payments: sum of the payments.
        adjusted_cents: net sum of the adjustments that make payments and amounts due agree.
        unread_columns: columns of the files that events have no place for, as `file: column`.
        unread_files: further CSV files in the folder.
    """

    orders: int
    imported: int
    unchanged: int
    refused: int
    events: int
    events_by_type: dict[str, int]
    statuses: tuple[StatusCount, ...]
    quirks: tuple[QuirkCount, ...]
    refusals: tuple[RefusalCount, ...]
    items: SumCheck
    freight: SumCheck
    payments: SumCheck
    adjusted_cents: int
    unread_columns: tuple[str, ...]
    unread_files: tuple[str, ...]

    @property
    def reconciles(self) -> bool:
        """Whether every order and every cent of the source is in the log or refused with its reason."""
        return (
            self.orders == self.imported + self.unchanged + self.refused
            and all(status.agrees for status in self.statuses)
            and self.items.reconciles
            and self.freight.reconciles
            and self.payments.reconciles
        )
