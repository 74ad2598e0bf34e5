"""The pieces that reports of measurements have in common."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from eventlib.audit.verdict import Outcome
from eventlib.bench.figures import share
from eventlib.bench.machine import machine
from eventlib.bench.measurement import Benchmark, quartiles
from eventlib.bench.table import REACHED, lines
from eventlib.reporting.charts.chart import Chart
from eventlib.reporting.fragment import Fragment, rendered, styled
from eventlib.reporting.verdict import Check, Evidence

LIMITS = (
    "Other machines, and other hours of this one: a case's median is told with where half of its rounds lie.",
    "A server elsewhere: each round trip over a network adds its own time to every figure.",
    "Data that has to come from the disk: everything here is in memory.",
)


def heading(title: str, benchmark: Benchmark, rounds: int) -> Fragment:
    """The heading of a report, with what was measured on."""
    on = measured_on(benchmark)
    about = f"{rounds} rounds on {on['Machine']}, PostgreSQL {benchmark.server['server_version']}"
    return styled(rendered("fragments/measured_heading.html.j2", title=title, about=about), title)


def plot(chart: Chart, title: str) -> Fragment:
    """A chart in both its sizes, under a heading of its own."""
    html = rendered(
        "fragments/chart.html.j2",
        key="plot",
        heading=title,
        title=chart.title,
        caption=chart.caption,
        wide=Markup(chart.wide),  # noqa: S704 - our own SVG, escaped where it is made
        narrow=Markup(chart.narrow),  # noqa: S704
    )
    return Fragment(html, f"{chart.title}. {chart.description}")


def comparison_table(benchmark: Benchmark) -> Fragment:
    """Every case beside what it is compared with."""
    cases: list[list[object]] = []
    for line in lines(benchmark):
        if line.case:
            cases.append([])
        cases[-1].append(line)
    words = {**REACHED, Outcome.NOT_COVERED: "not measured"}
    html = rendered("fragments/comparison.html.j2", results=cases, words=words)
    return Fragment(html, "\n".join(" ".join(filter(None, line.cells)) for line in lines(benchmark)))


def method(benchmark: Benchmark, *more: str) -> Fragment:
    """How it was measured, and what the figures do not say."""
    sentences = [benchmark.method, *more, *benchmark.notes, steadiness(benchmark)]
    return Fragment(rendered("fragments/method.html.j2", sentences=sentences), "\n".join(sentences))


def steadiness(benchmark: Benchmark) -> str:
    """How much the rounds differ, as a sentence: what is nearer to an aim than that may fall on either side of it."""
    spreads = []
    for result in benchmark.results:
        first, third = quartiles(result.rounds)
        spreads.append((third - first) / result.value)
    middle = sorted(spreads)[len(spreads) // 2]
    return (
        f"Noise: half of a case's rounds lie in a span of {share(middle)} of its median (the median over all cases; the "
        f"worst has {share(max(spreads))}). What is nearer to an aim than that may fall on either side of it another time."
    )


def evidence(subject: str, benchmark: Benchmark, repeat: dict[str, str]) -> Evidence:
    """What a report of a measurement was made of."""
    return Evidence(subject, None, None, None, None, repeat, measured_on(benchmark))


def measured_on(benchmark: Benchmark) -> dict[str, str]:
    """The machine and the server, by name."""
    on = machine()
    version = benchmark.server["server_version"]
    settings = (f"{name} {value}" for name, value in benchmark.server.items() if name != "server_version")
    return {
        "Machine": f"{on['system']}, {on['cores']} cores, {on['memory_gib']} GiB of memory",
        "Server": f"PostgreSQL {version}, {', '.join(settings)}",
    }


def joined(words: Sequence[str]) -> str:
    """Words as a list in a sentence.

    >>> joined(["a"]), joined(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def names_with(checks: Sequence[Check], outcome: Outcome) -> list[str]:
    """The names of the checks that ended so, in small letters."""
    return [check.name.lower() for check in checks if check.outcome is outcome]
