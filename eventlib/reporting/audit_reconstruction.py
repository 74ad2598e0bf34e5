"""What `notebooks/audit_reconstruction.ipynb` calls: one order, told from its events alone, piece by piece."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

from markupsafe import Markup

from eventlib.audit.checks import COMPLETE, CONSISTENT, LEGAL
from eventlib.audit.reconstruction import Reconstruction, reconstruct
from eventlib.errors import ReportError
from eventlib.orders import events as e
from eventlib.orders.money import money
from eventlib.orders.order import Order
from eventlib.orders.projections import ORDER_PROJECTIONS
from eventlib.orders.receipt import receipt
from eventlib.orders.remarks import remarks
from eventlib.orders.retelling import command_of
from eventlib.orders.sentences import sentence, words
from eventlib.reporting.differences import differences
from eventlib.reporting.event_table import EventTable, event_table, stamp
from eventlib.reporting.fragment import Fragment, rendered, styled
from eventlib.reporting.inline_svg import without_links
from eventlib.reporting.timeline import (
    Moment,
    draw,
    finding,
    finding_of_backfill,
    lane_of,
    narration,
    narrow_scene,
    wide_scene,
)
from eventlib.reporting.verdict import Evidence, Outcome, Verdict
from eventlib.reporting.verdict_box import verdict_box
from eventlib.services import Services
from eventlib.settings import Settings
from eventlib.store.event_store import Store
from eventlib.temporal.as_of import InvalidAsOf, Now, parse_as_of
from eventlib.temporal.backfill import backfill
from eventlib.temporal.durations import in_words
from eventlib.temporal.transitions import Transition

if TYPE_CHECKING:
    import pandas as pd

NAME = "audit_reconstruction"

_FAILED = {
    COMPLETE: "the log has a gap or a duplicate",
    CONSISTENT: "the read model differs from the log",
    LEGAL: "an event breaks the rules",
}
_NOT_COVERED = {CONSISTENT: "there is nothing to compare it with"}

_LIMITS = (
    "Whether stored events were altered after the fact: this version keeps no ledger that would show it.",
    "Whether people and clocks told the truth: who acted, why, and when it occurred are as the writer claimed.",
)


def open_reconstruction(order_id: str, as_of: str = "") -> ReconstructionReport:
    """Read one order from the configured database and tell it.

    Args:
        order_id: its UUID.
        as_of: up to when: empty for now, a version such as `7`, or an instant with a time zone.

    Raises:
        ReportError: a parameter is malformed, there is no such order, or nothing of it at `as_of`.
        SettingsError, ServiceUnavailable: the database is not configured or cannot be reached.
        UnreadableEvent: an event cannot be decoded.
    """
    if not order_id.strip():
        raise ReportError(
            "order_id is empty: set it in the cell that is tagged `parameters` and run all cells again, "
            f"or run `eventlib report run {NAME} -p order_id=…`"
        )
    try:
        aggregate_id = UUID(order_id.strip())
    except ValueError:
        raise ReportError(f"order_id {order_id!r} is not a UUID such as 881a2c04-0c1d-4b7e-9f3a-5d2b8c6e1f70") from None
    try:
        point = parse_as_of(as_of)
    except InvalidAsOf as error:
        raise ReportError(str(error)) from None
    with Store.open(Services(Settings.load()).database_url, "eventlib report") as store:
        return ReconstructionReport(reconstruct(store, ORDER_PROJECTIONS, aggregate_id, point, command_of))


class ReconstructionReport:
    """The pieces of the report. Nothing is read any more: all pieces tell the same snapshot of the database."""

    def __init__(self, reconstruction: Reconstruction[Order]) -> None:
        self._told = reconstruction
        self._transitions = reconstruction.replay.transitions
        self._order = reconstruction.replay.state
        self._backfill = backfill(reconstruction.events)
        self._short_id = str(reconstruction.aggregate_id)[:8]

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, object]:
        """The heading of the report."""
        title = self._verdict.title
        html = rendered(
            "fragments/heading.html.j2",
            title=title,
            order_id=self._told.aggregate_id,
            number=self._told.number,
            later=self._told.later,
            as_of=str(self._told.as_of),
            is_now=isinstance(self._told.as_of, Now),
            last=self._told.events[-1],
            stamp=stamp,
        )
        return styled(html, title)._repr_mimebundle_()

    def verdict(self) -> Fragment:
        """The verdict; in an executed notebook also what the runner goes by."""
        return verdict_box(self._verdict, self._evidence)

    def facts(self) -> Fragment:
        """What the order came to, in six numbers."""
        order, events = self._order, self._told.events
        added = sum(
            max(0, transition.after.item_count - transition.before.item_count) for transition in self._transitions
        )
        lasted = self._backfill.span if self._backfill else events[-1].recorded_at - events[0].recorded_at
        facts = [
            ("Status", words(order.status)),
            ("Total", money(order.total_cents, order.currency)),
            ("Paid", money(order.captured_cents, order.currency)),
            ("Refunded", money(order.refunded_cents, order.currency)),
            ("Items", f"{order.item_count:,} of {added:,} ever added"),
            ("First to last event", in_words(lasted)),
            ("People and systems", f"{len({recorded.metadata.actor for recorded in events}):,}"),
        ]
        return Fragment(rendered("fragments/facts.html.j2", facts=facts), "\n".join(": ".join(fact) for fact in facts))

    def timeline(self) -> Fragment:
        """When everything happened, and when it was recorded."""
        by_event = itertools.groupby(self._transitions, key=lambda transition: transition.recorded.version)
        moments = [_moment(list(parts)) for _, parts in by_event]
        if not moments:
            return Fragment("", "There is nothing to draw: no event could be replayed.")
        if self._backfill:
            # That all was recorded much later is said once, in the title; drawn, it would leave room for nothing else.
            moments = [replace(moment, recorded_at=moment.occurred_at) for moment in moments]
            title, description = finding_of_backfill(self._backfill), narration(moments, "that occurred")
        else:
            title, description = finding(moments), narration(moments)
        targets = {
            moment.version: f"{moment.version} {moment.label}, {stamp(moment.recorded_at)} UTC" for moment in moments
        }
        wide = wide_scene(moments)
        drawings = draw(wide, "wide", description, targets), draw(narrow_scene(moments), "narrow", description, targets)

        def html(wide_svg: str, narrow_svg: str) -> str:
            return rendered(
                "fragments/timeline.html.j2",
                title=title,
                apart=any(moment.is_apart for moment in moments),
                backfilled=self._backfill is not None,
                tallest_bar=wide.tallest_bar,
                wide=Markup(wide_svg),  # noqa: S704 - our own SVG, escaped where it is made
                narrow=Markup(narrow_svg),  # noqa: S704
            )

        return Fragment(html(*map(without_links, drawings)), f"{title}. {description}", published=html(*drawings))

    def events(self) -> Fragment:
        """Every event: what happened, who did it, with what and why, what it changed, and the order before and after."""
        table: EventTable = event_table(self._told, remarks(self._told.events), self._backfill)
        html = rendered("fragments/events.html.j2", table=table)
        return Fragment(html, f"{self._told.number} events")

    def cart(self) -> Fragment:
        """The cart just before the last item was removed, and just after; the present cart if none ever was."""
        removals = [
            transition for transition in self._transitions if isinstance(transition.recorded.event, e.OrderItemRemoved)
        ]
        if removals:
            return self._removal(removals[-1])
        lines = receipt(self._order)
        html = rendered("fragments/cart.html.j2", lines=lines, version=self._told.events[-1].version)
        return Fragment(html, "\n".join(f"{line.label} {line.value}" for line in lines))

    def reconciliation(self) -> Fragment:
        """The read model's row beside the fold of the events, field by field."""
        compared = self._told.reconciliation
        check = next(check for check in self._told.checks if check.name == CONSISTENT)
        html = rendered(
            "fragments/reconciliation.html.j2",
            compared=compared,
            staleness=self._told.staleness,
            check=check,
            is_now=isinstance(self._told.as_of, Now),
            table=ORDER_PROJECTIONS.name,
            differences=differences,
            stamp=stamp,
        )
        return Fragment(html, check.finding)

    def frame(self) -> pd.DataFrame:
        """The events as a table for questions of one's own, one row an event in today's shape, `version` as the index.

        Columns: event_id, event_type, upcast_from (the old shape that it was written in, if it was), recorded_at,
        occurred_at (UTC), actor, device, ip, reason, what, and after the event status, item_count, total_cents, paid_cents,
        refunded_cents.
        """
        import pandas as pd  # noqa: PLC0415 - half a second that no report has to wait for

        rows = [
            {
                "version": transition.recorded.version,
                "event_id": str(transition.recorded.event_id),
                "event_type": type(transition.recorded.event).__name__,
                "upcast_from": transition.recorded.upcast_from,
                "recorded_at": transition.recorded.recorded_at,
                "occurred_at": transition.recorded.occurred_at,
                "actor": transition.recorded.metadata.actor,
                "device": transition.recorded.metadata.device,
                "ip": transition.recorded.metadata.ip,
                "reason": transition.recorded.metadata.reason,
                "what": str(sentence(transition.recorded.event, transition.before)),
                "status": str(transition.after.status),
                "item_count": transition.after.item_count,
                "total_cents": transition.after.total_cents,
                "paid_cents": transition.after.captured_cents,
                "refunded_cents": transition.after.refunded_cents,
            }
            for transition in self._transitions
        ]
        return pd.DataFrame(rows).set_index("version")

    def _removal(self, transition: Transition[Order]) -> Fragment:
        recorded, event = transition.recorded, transition.recorded.event
        assert isinstance(event, e.OrderItemRemoved)
        before, after = receipt(transition.before), receipt(transition.after)
        html = rendered(
            "fragments/removal.html.j2",
            sku=event.sku,
            removed_by=event.removed_by,
            reason=recorded.metadata.reason,
            version=recorded.version,
            at=stamp(recorded.occurred_at if self._backfill else recorded.recorded_at),
            before=before,
            after=after,
            was={line.key: line.value for line in before},
            now={line.key: line.value for line in after},
        )
        return Fragment(html, f"{event.sku} was removed by {event.removed_by} in event {recorded.version}")

    @property
    def _verdict(self) -> Verdict:
        told, limits = self._told, list(_LIMITS)
        later = told.later
        if later:
            limits.insert(
                0, f"The {later:,} events recorded after {told.as_of}; the read model is compared as it is now."
            )
        if told.replay.broken_by is not None:
            limits.insert(
                0,
                f"Event {told.replay.broken_by:,} and all after it: the facts, the timeline and the cart end before it.",
            )
        return Verdict(f"Order {self._short_id}: {_title(told)}", told.checks, limits)

    @property
    def _evidence(self) -> Evidence:
        told = self._told
        return Evidence(
            subject=f"order {told.aggregate_id}",
            as_of=str(told.as_of),
            events=told.number,
            log_position=told.log_position,
            digest=told.digest,
            repeat={"order_id": str(told.aggregate_id), "as_of": str(told.events[-1].version)},
        )


def _title(told: Reconstruction[Order]) -> str:
    """What the checks came to, as the rest of a heading."""
    failed = [_FAILED[check.name] for check in told.checks if check.outcome is Outcome.FAILED]
    if failed:
        return _joined(failed)
    verified = _joined([check.name.lower() for check in told.checks if check.outcome is Outcome.VERIFIED])
    missing = [_NOT_COVERED[check.name] for check in told.checks if check.outcome is Outcome.NOT_COVERED]
    return f"{verified}, but {_joined(missing)}" if missing else verified


def _joined(words_: Sequence[str]) -> str:
    return " and ".join([", ".join(words_[:-1]), words_[-1]] if len(words_) > 1 else words_)


def _moment(parts: Sequence[Transition[Order]]) -> Moment:
    """One stored event; it has several parts when an upcaster has made several events of it."""
    recorded = parts[0].recorded
    removed = any(isinstance(part.recorded.event, e.OrderItemRemoved) for part in parts)
    return Moment(
        version=recorded.version,
        recorded_at=recorded.recorded_at,
        occurred_at=recorded.occurred_at,
        lane=lane_of(recorded.metadata.actor),
        label=", ".join(sentence(part.recorded.event, part.before).subject for part in parts),
        weight=2 if parts[0].before.status is not parts[-1].after.status else 1 if removed else 0,
    )
