"""What `notebooks/projection_health.ipynb` calls: are the read models as fresh as was promised, piece by piece."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from eventlib.bench.figures import number
from eventlib.errors import ReportError
from eventlib.orders.projections import PROJECTIONS
from eventlib.outbox.cdc import SlotStatus, slot_status
from eventlib.outbox.status import OutboxStatus, outbox_status
from eventlib.pipeline.readiness import CONFIRMED_S
from eventlib.projections.health import ProjectionHealth, projection_health
from eventlib.projections.lag_histogram import BOUNDS_MS
from eventlib.reporting.charts.freshness import freshness_chart
from eventlib.reporting.fragment import Fragment, rendered, styled
from eventlib.reporting.measured import joined, plot
from eventlib.reporting.verdict import Check, Evidence, Outcome, Verdict
from eventlib.reporting.verdict_box import verdict_box
from eventlib.services import Services
from eventlib.settings import Settings
from eventlib.store.connection import connect

if TYPE_CHECKING:
    import pandas as pd

KEPT_PROMISE = 0.99
"""The part of the events that has to keep the promise."""

MOST_MINUTES = 7 * 24 * 60

_LIMITS = (
    "Whether rows are what the log says: `eventlib projections verify` compares every one of them.",
    "How long a read took on its way to the client: the lag ends when a row can be read in the database.",
)


def look_at_projections(minutes: int, promise_ms: int) -> HealthReport:
    """Look at the read models of the configured database.

    Args:
        minutes: how far to look back, at least 1.
        promise_ms: how soon an event has to be visible, in milliseconds; one of the bounds that lags are counted by.

    Raises:
        ReportError: a parameter makes no sense.
        SettingsError, ServiceUnavailable: the database is not configured or cannot be reached.
    """
    if not 1 <= minutes <= MOST_MINUTES:
        raise ReportError(
            f"minutes is {minutes}: give a number from 1 to {MOST_MINUTES:,}, since older lags are forgotten"
        )
    if promise_ms not in BOUNDS_MS:
        bounds = joined([str(bound) for bound in BOUNDS_MS])
        raise ReportError(f"promise_ms is {promise_ms}: lags are counted by bounds, so give one of {bounds}")
    settings = Settings.load()
    within = timedelta(seconds=settings.ready_within_s)
    with connect(Services(settings).database_url, "eventlib report") as connection:
        found = projection_health(connection, list(PROJECTIONS), timedelta(minutes=minutes), within)
        outbox = outbox_status(connection)
        slot = slot_status(connection) if outbox.publisher == "cdc" else None
        return HealthReport(found, outbox, slot, minutes, promise_ms, settings.ready_within_s)


class HealthReport:
    """The pieces of the report. Nothing is read any more."""

    def __init__(
        self,
        projections: Sequence[ProjectionHealth],
        outbox: OutboxStatus,
        slot: SlotStatus | None,
        minutes: int,
        promise_ms: int,
        within_s: float,
    ) -> None:
        self.projections = projections
        self._outbox = outbox
        self._minutes = minutes
        self._promise_ms = promise_ms
        checks = [
            _fresh(projections, promise_ms),
            _kept_up(projections, within_s),
            _whole(projections),
            _published(outbox, slot, within_s),
        ]
        self._verdict = Verdict(_title(checks, projections, promise_ms), checks, _LIMITS)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, object]:
        """The heading of the report."""
        title = self._verdict.title
        about = f"{len(self.projections)} read models over the last {self._minutes:,} minutes"
        html = rendered("fragments/measured_heading.html.j2", title=title, about=about)
        return styled(html, title)._repr_mimebundle_()

    def verdict(self) -> Fragment:
        """The verdict; in an executed notebook also what the runner goes by."""
        subject = f"the freshness of {joined([one.name for one in self.projections])}"
        repeat = {"minutes": str(self._minutes), "promise_ms": str(self._promise_ms)}
        span = {"Looked back": f"{self._minutes:,} minutes"}
        return verdict_box(self._verdict, Evidence(subject, None, None, None, None, repeat, span))

    def plot(self) -> Fragment:
        """How long events took to become visible."""
        return plot(freshness_chart(self.projections, self._promise_ms), "How soon events became visible")

    def table(self) -> Fragment:
        """The read models and the outbox in figures."""
        rows = [
            (
                one.name,
                f"{one.lag.events:,}",
                _ms(one.lag.quantile(0.5)),
                _ms(one.lag.quantile(0.99)),
                _percent(one.lag.within(self._promise_ms)),
                f"{one.unseen:,}",
                f"{len(one.parked):,}",
                "resting" if one.paused_since else "",
            )
            for one in self.projections
        ]
        left = [(parked.projection, parked) for one in self.projections for parked in one.parked]
        html = rendered(
            "fragments/health.html.j2", rows=rows, promise_ms=self._promise_ms, outbox=self._outbox, parked=left[:50]
        )
        return Fragment(html, "\n".join(" ".join(row) for row in rows))

    def frame(self) -> pd.DataFrame:
        """The lags for questions of one's own: one row for each projection, minute and bound in ms, with its events."""
        import pandas as pd  # noqa: PLC0415 - half a second that no report has to wait for

        rows = [
            (one.name, minute, bound, count)
            for one in self.projections
            for minute, histogram in one.by_minute.items()
            for bound, count in sorted(histogram.counts.items())
        ]
        return pd.DataFrame(rows, columns=["projection", "minute", "up_to_ms", "events"])


def _title(checks: Sequence[Check], projections: Sequence[ProjectionHealth], promise_ms: int) -> str:
    failed = [check for check in checks if check.outcome is Outcome.FAILED]
    if failed:
        words = {
            "Fresh": "events became visible too late",
            "Kept up": "not every read model is kept up to date",
            "Whole": "not every read model is whole",
            "Published": "events are not published as they should be",
        }
        said = joined([words[check.name] for check in failed])
        return said[0].upper() + said[1:]
    if any(check.outcome is Outcome.NOT_COVERED for check in checks):
        idle = joined([one.name for one in projections if not one.lag.events])
        if not idle:
            return "No event has had time to become visible, so the promise was not put to the test"
        return f"Nothing became visible in {idle} in this time, so the promise was not put to the test"
    return f"The read models keep the promise of {promise_ms} ms"


def _fresh(projections: Sequence[ProjectionHealth], promise_ms: int) -> Check:
    parts = {one.name: one.lag.within(promise_ms) for one in projections}
    known = {name: part for name, part in parts.items() if part is not None}
    if len(known) < len(parts) or not known:
        idle = joined([name for name in parts if name not in known])
        if all(part >= KEPT_PROMISE for part in known.values()):
            return Check(
                "Fresh", Outcome.NOT_COVERED, f"No event became visible in {idle}: there is nothing to judge by."
            )
    worst = min(known, key=lambda name: known[name])
    finding = (
        f"{_percent(known[worst])} of the events were visible within {promise_ms} ms in {worst}, where it took longest; "
        f"{_percent(KEPT_PROMISE)} is promised."
    )
    return Check("Fresh", Outcome.VERIFIED if known[worst] >= KEPT_PROMISE else Outcome.FAILED, finding)


def _kept_up(projections: Sequence[ProjectionHealth], within_s: float) -> Check:
    wrong = []
    for one in projections:
        if one.table_version is None:
            wrong.append(f"{one.name} has no table")
        elif one.table_version != one.wanted_version:
            wrong.append(f"the table of {one.name} is of version {one.table_version}, not {one.wanted_version}")
        if one.paused_since is not None:
            wrong.append(f"{one.name} is paused since {one.paused_since:%Y-%m-%d %H:%M:%S} UTC")
    if wrong:
        said = joined(wrong)
        return Check("Kept up", Outcome.FAILED, f"{said[0].upper()}{said[1:]}.")
    behind = [f"{one.name} ({one.unseen:,}, for {number(one.unseen_s)} s)" for one in projections if one.unseen]
    looked_at = max(one.looked_at for one in projections)
    if behind:
        finding = (
            f"Of the newest {looked_at:,} events older than {number(within_s)} s some are invisible: {joined(behind)}."
        )
        return Check("Kept up", Outcome.FAILED, finding)
    if not looked_at:
        return Check("Kept up", Outcome.NOT_COVERED, "The log has no events that have had time to become visible.")
    finding = f"The newest {looked_at:,} events older than {number(within_s)} s are visible in every read model."
    return Check("Kept up", Outcome.VERIFIED, finding)


def _whole(projections: Sequence[ProjectionHealth]) -> Check:
    left = [f"{len(one.parked):,} by {one.name}" for one in projections if one.parked]
    missed = [f"{one.missed:,} by {one.name}" for one in projections if one.missed]
    findings = []
    if left:
        findings.append(f"Aggregates were left behind at an event that a fold cannot take: {joined(left)}.")
    if missed:
        findings.append(f"Messages were gone before they were read: {joined(missed)}. A rebuild makes up for them.")
    if findings:
        return Check("Whole", Outcome.FAILED, " ".join(findings))
    return Check("Whole", Outcome.VERIFIED, "No aggregate was left behind, and no message was missed.")


def _published(outbox: OutboxStatus, slot: SlotStatus | None, within_s: float) -> Check:
    wrong = []
    if slot is not None:
        wrong = list(slot.problems)
        within_s += CONFIRMED_S
    elif not any(relay.alive for relay in outbox.relays):
        wrong = ["no relay is at work"]
    if outbox.held:
        wrong.append(f"{len(outbox.held):,} {'aggregate is' if len(outbox.held) == 1 else 'aggregates are'} held back")
    waiting = f"{outbox.depth:,} {'event waits' if outbox.depth == 1 else 'events wait'} to be published"
    if outbox.oldest_s:
        waiting += f", the oldest for {number(outbox.oldest_s)} s"
    finding = "; ".join([waiting, *wrong]) + "."
    failed = wrong or outbox.oldest_s > within_s
    return Check("Published", Outcome.FAILED if failed else Outcome.VERIFIED, finding)


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{number(value)} ms"


def _percent(part: float | None) -> str:
    return "–" if part is None else f"{100 * part:.4g} %"
