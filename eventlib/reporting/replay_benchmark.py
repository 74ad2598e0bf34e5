"""What `notebooks/replay_benchmark.ipynb` calls: how long loads take, beside their floor, piece by piece."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from eventlib.bench.figures import number
from eventlib.bench.measurement import Benchmark
from eventlib.bench.parameters import parsed_lengths
from eventlib.bench.replay import (
    FLAT_AIM,
    LONG,
    REPLAY_AIM,
    SHORT,
    SNAPSHOT_AIM_MS,
    WHOLE_ROWS,
    WORST_TAIL,
    bench_replay,
    from_snapshot,
    lengths_of,
    replayed,
)
from eventlib.errors import ReportError
from eventlib.reporting.charts.replay import replay_chart
from eventlib.reporting.fragment import Fragment
from eventlib.reporting.measured import (
    LIMITS,
    comparison_table,
    evidence,
    heading,
    joined,
    method,
    names_with,
    plot,
)
from eventlib.reporting.verdict import Check, Outcome, Verdict
from eventlib.reporting.verdict_box import verdict_box
from eventlib.services import Services
from eventlib.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

MOST_ROUNDS = 1_000
TAILS = (0, WORST_TAIL)


def measure_replay(lengths: str, rounds: int) -> ReplayReport:
    """Measure on the configured server, in a scratch database.

    Args:
        lengths: events of the orders, separated by commas.
        rounds: of which the medians are told, at least 1.

    Raises:
        ReportError: a parameter is malformed.
        SettingsError, ServiceUnavailable: the database is not configured or cannot be reached.
    """
    wanted = parsed_lengths(lengths)
    if not 1 <= rounds <= MOST_ROUNDS:
        raise ReportError(f"rounds is {rounds}: give a number from 1 to {MOST_ROUNDS:,}")
    settings = Settings.load()
    url = Services(settings).owner_url
    return ReplayReport(bench_replay(url, settings.store_partitions, rounds=rounds, lengths=wanted), rounds)


class ReplayReport:
    """The pieces of the report. Nothing is measured any more."""

    def __init__(self, benchmark: Benchmark, rounds: int) -> None:
        self.benchmark = benchmark
        self._rounds = rounds
        self._lengths = lengths_of(benchmark)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, object]:
        """The heading of the report."""
        return heading(self._verdict.title, self.benchmark, self._rounds)._repr_mimebundle_()

    def verdict(self) -> Fragment:
        """The verdict; in an executed notebook also what the runner goes by."""
        lengths = ",".join(map(str, self._lengths))
        subject = (
            f"loads of orders of {joined([f'{length:,}' for length in self._lengths])} events, written for this run"
        )
        repeat = {"lengths": lengths, "rounds": str(self._rounds)}
        return verdict_box(self._verdict, evidence(subject, self.benchmark, repeat))

    def plot(self) -> Fragment:
        """How long a load takes at each length."""
        return plot(replay_chart(self.benchmark), "How long a load takes")

    def table(self) -> Fragment:
        """Every case beside what it is compared with."""
        return comparison_table(self.benchmark)

    def limits(self) -> Fragment:
        """How it was measured, and what the figures do not say."""
        return method(self.benchmark)

    def frame(self) -> pd.DataFrame:
        """The rounds as a table for questions of one's own, in ms: one row a round, one column a case or floor."""
        import pandas as pd  # noqa: PLC0415 - half a second that no report has to wait for

        columns = {}
        for result in self.benchmark.results:
            columns[result.case] = result.rounds
            columns |= {f"{result.case}: {floor.name}": floor.rounds for floor in result.floors}
        return pd.DataFrame(columns)

    @property
    def _verdict(self) -> Verdict:
        checks = replay_checks(self.benchmark)
        return Verdict(replay_title(checks), checks, LIMITS)


def replay_checks(benchmark: Benchmark) -> list[Check]:
    """The aims for loads, each as a check."""
    lengths = lengths_of(benchmark)
    return [_replay(benchmark, lengths), _snapshot(benchmark, lengths), _flat(benchmark, lengths)]


def replay_title(checks: Sequence[Check]) -> str:
    """What the checks came to, as the heading of the report."""
    missed, open_ = names_with(checks, Outcome.FAILED), names_with(checks, Outcome.NOT_COVERED)
    if missed:
        return f"Loads miss the aim for {joined(missed)}"
    return "Loads reach their aims" + (f", but {joined(open_)} was not measured" if open_ else "")


def _replay(benchmark: Benchmark, lengths: Sequence[int]) -> Check:
    ratios = {}
    for length in lengths:
        result = benchmark.result(replayed(length))
        ratios[length] = result.ratio(result.floor(WHOLE_ROWS)) or 0.0
    over = [f"{length:,} events ({ratios[length]:.2f})" for length in lengths if ratios[length] > REPLAY_AIM]
    least, most = min(ratios.values()), max(ratios.values())
    finding = (
        f"Replaying an order to its folded state takes {least:.2f} to {most:.2f} times what libpq takes to fetch its whole "
        f"rows; {REPLAY_AIM} is aimed at."
    )
    if over:
        finding += f" More: {joined(over)}."
    return Check("Replay", Outcome.FAILED if over else Outcome.VERIFIED, finding)


def _snapshot(benchmark: Benchmark, lengths: Sequence[int]) -> Check:
    values = {tail: [benchmark.result(from_snapshot(length, tail)).value for length in lengths] for tail in TAILS}
    slow = max(max(of_tail) for of_tail in values.values())
    finding = (
        f"With a snapshot a load takes {number(max(values[0]))} ms at most, and {number(max(values[WORST_TAIL]))} ms with "
        f"{WORST_TAIL} events after it, the most that there are; under {SNAPSHOT_AIM_MS} ms is aimed at."
    )
    return Check("Snapshot", Outcome.VERIFIED if slow <= SNAPSHOT_AIM_MS else Outcome.FAILED, finding)


def _flat(benchmark: Benchmark, lengths: Sequence[int]) -> Check:
    if SHORT not in lengths or LONG not in lengths:
        finding = f"Not measured: that takes orders of {SHORT} and of {LONG:,} events."
        return Check("Flat", Outcome.NOT_COVERED, finding)
    ratios = []
    for tail in TAILS:
        result = benchmark.result(from_snapshot(LONG, tail))
        ratios.append(result.ratio(result.floor(from_snapshot(SHORT, tail))) or 0.0)
    finding = (
        f"With a snapshot, an order of {LONG:,} events takes {ratios[0]:.2f} times as long as one of {SHORT}, and "
        f"{ratios[1]:.2f} times with {WORST_TAIL} events after the snapshot; {FLAT_AIM} is aimed at."
    )
    return Check("Flat", Outcome.VERIFIED if max(ratios) <= FLAT_AIM else Outcome.FAILED, finding)
