"""What `notebooks/snapshot_interval.ipynb` calls: how far apart snapshots should be, piece by piece."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from eventlib.bench.figures import number, share
from eventlib.bench.interval import IntervalStudy, bench_interval, named
from eventlib.bench.interval_cost import NEAR, Candidate
from eventlib.bench.interval_table import HEADINGS, certainty, interval_lines
from eventlib.bench.order_mix import OrderMix
from eventlib.bench.parameters import parsed_intervals
from eventlib.errors import ReportError
from eventlib.orders import ORDER
from eventlib.reporting.charts.interval import interval_chart
from eventlib.reporting.fragment import Fragment, rendered
from eventlib.reporting.measured import LIMITS, evidence, heading, method, plot
from eventlib.reporting.verdict import Check, Outcome, Verdict
from eventlib.reporting.verdict_box import verdict_box
from eventlib.services import Services
from eventlib.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

CERTAIN = 0.9
"""Of the resamples have to agree with the recommendation."""

MOST_ROUNDS, MOST_MOMENTS = 1_000, 100_000

_MIX_LIMIT = (
    "Another mix of orders: its hot share and its longest order are parameters, and decide more than the machine."
)


def measure_intervals(
    every: str, rounds: int, moments: int, orders: int, hot_share: float, longest: int, seed: int, storage_price: float
) -> IntervalReport:
    """Measure on the configured server, in a scratch database.

    Args:
        every: snapshot intervals, separated by commas; `none` for no snapshots.
        rounds: of which the medians are told, at least 1.
        moments: sampled from the mix, at least 1.
        orders: in the mix.
        hot_share: of them that are hot, from 0 to 1.
        longest: events of the longest hot order.
        seed: of all that is random in the mix.
        storage_price: ms a command that keeping one KiB less for each event is worth.

    Raises:
        ReportError: a parameter is malformed.
        SettingsError, ServiceUnavailable: the database is not configured or cannot be reached.
    """
    intervals = parsed_intervals(every)
    for name, value, most in (("rounds", rounds, MOST_ROUNDS), ("moments", moments, MOST_MOMENTS)):
        if not 1 <= value <= most:
            raise ReportError(f"{name} is {value}: give a number from 1 to {most:,}")
    if storage_price < 0:
        raise ReportError(f"storage_price is {storage_price:g}: give a number from 0")
    try:
        mix = OrderMix(orders, hot_share, longest, seed)
    except ValueError as error:
        raise ReportError(f"orders, hot_share, longest: {error}") from None
    settings = Settings.load()
    study = bench_interval(
        Services(settings).owner_url,
        settings.store_partitions,
        rounds=rounds,
        moments=moments,
        mix=mix,
        intervals=intervals,
        storage_ms_per_kib=storage_price,
    )
    return IntervalReport(study, rounds, moments, mix)


class IntervalReport:
    """The pieces of the report. Nothing is measured any more."""

    def __init__(self, study: IntervalStudy, rounds: int, moments: int, mix: OrderMix) -> None:
        self.study = study
        self._rounds, self._moments, self._mix = rounds, moments, mix

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, object]:
        """The heading of the report."""
        return heading(self._verdict.title, self.study.benchmark, self._rounds)._repr_mimebundle_()

    def verdict(self) -> Fragment:
        """The verdict; in an executed notebook also what the runner goes by."""
        mix = self._mix
        subject = f"loads at {self._moments:,} moments of a mix of {mix.orders:,} orders, written for this run"
        repeat = {
            "every": ",".join("none" if one.every is None else str(one.every) for one in self.study.candidates),
            "rounds": str(self._rounds),
            "moments": str(self._moments),
            "orders": str(mix.orders),
            "hot_share": f"{mix.hot_share:g}",
            "longest": str(mix.longest),
            "seed": str(mix.seed),
            "storage_price": f"{self.study.storage_ms_per_kib:g}",
        }
        return verdict_box(self._verdict, evidence(subject, self.study.benchmark, repeat))

    def plot(self) -> Fragment:
        """Loads by interval, and what a command costs."""
        return plot(interval_chart(self.study), "What an interval does to loads, and what it costs")

    def table(self) -> Fragment:
        """Every interval, and how sure the recommendation is."""
        best = self.study.recommendation.every
        told = [
            {"cells": cells, "best": candidate.every == best}
            for cells, candidate in zip(interval_lines(self.study), self.study.candidates)
        ]
        sentences = certainty(self.study)
        html = rendered("fragments/intervals.html.j2", headings=HEADINGS, lines=told, sentences=sentences)
        return Fragment(html, "\n".join(sentences))

    def limits(self) -> Fragment:
        """How it was measured, the mix of orders, and what the figures do not say."""
        mix = self.study.mix
        lengths = (
            f"In this mix {mix['orders']:,.0f} orders have {mix['events']:,.0f} events: half of the orders "
            f"{mix['median']:,.0f} or fewer, 99 of 100 {mix['p99']:,.0f} or fewer, the longest {mix['longest']:,.0f}. "
            f"{share(mix['share_of_commands_to_orders_of_50_events_and_more'])} of the commands go to orders that come to "
            "50 events or more."
        )
        return method(self.study.benchmark, self._mix.model, lengths, self.study.cost_model)

    def frame(self) -> pd.DataFrame:
        """Every load as a table for questions of one's own: columns every (0 for no snapshots), round, moment, ms."""
        import pandas as pd  # noqa: PLC0415 - half a second that no report has to wait for

        return pd.DataFrame(
            [
                (candidate.every or 0, number_, moment, ms)
                for candidate in self.study.candidates
                for number_, durations in enumerate(candidate.loads, start=1)
                for moment, ms in enumerate(durations)
            ],
            columns=["every", "round", "moment", "ms"],
        )

    @property
    def _verdict(self) -> Verdict:
        checks = interval_checks(self.study)
        return Verdict(interval_title(self.study, checks), checks, (_MIX_LIMIT, *LIMITS))


def interval_checks(study: IntervalStudy) -> list[Check]:
    """Whether the default is a good one, and whether the recommendation is sure."""
    return [_default(study, study.candidates), _certain(study)]


def interval_title(study: IntervalStudy, checks: Sequence[Check]) -> str:
    """What the checks came to, as the heading of the report."""
    default, certain = (check.outcome for check in checks)
    best = f"snapshots: {named(study.recommendation.every)}"
    if certain is not Outcome.VERIFIED:
        return f"Too few rounds to recommend a snapshot interval; the least cost was measured with {best}"
    if default is Outcome.FAILED:
        return f"Snapshots every {ORDER.snapshot_every} events, the default, cost more than need be; recommended are {best}"
    if default is Outcome.NOT_COVERED:
        return f"Recommended are {best}; the default was not compared"
    return f"Snapshots every {ORDER.snapshot_every} events, the default, are a good choice for this mix of orders"


def _default(study: IntervalStudy, candidates: Sequence[Candidate]) -> Check:
    every, best = ORDER.snapshot_every, study.recommendation
    default = next((candidate for candidate in candidates if candidate.every == every), None)
    if default is None:
        return Check("Default", Outcome.NOT_COVERED, f"The default, every {every}, is not among what was compared.")
    cost = default.cost(study.storage_ms_per_kib).total
    finding = (
        f"With the default, every {every}, a command costs {number(cost)} ms, {cost / best.cost:.2f} times the least "
        f"({named(best.every)}); {NEAR} is aimed at."
    )
    return Check("Default", Outcome.VERIFIED if cost <= NEAR * best.cost else Outcome.FAILED, finding)


def _certain(study: IntervalStudy) -> Check:
    best = study.recommendation
    sure = best.near_share >= CERTAIN
    won = share(best.wins.get(best.every, 0.0))
    finding = (
        f"The recommended interval ({named(best.every)}) costs least in {won} of the resamples of the rounds, and at most "
        f"{NEAR} times the least in {share(best.near_share)}; {share(CERTAIN)} is aimed at."
    )
    if not sure:
        finding += " The machine was too restless for so few rounds: give more rounds."
    return Check("Certain", Outcome.VERIFIED if sure else Outcome.FAILED, finding)
