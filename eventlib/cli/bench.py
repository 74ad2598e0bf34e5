"""`eventlib bench`: measurements, each against floors measured in the same run."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from eventlib.bench import append as append_bench
from eventlib.bench import growth as growth_bench
from eventlib.bench import interval as interval_bench
from eventlib.bench import lag as lag_bench
from eventlib.bench import load as load_bench
from eventlib.bench import project as project_bench
from eventlib.bench import rebuild as rebuild_bench
from eventlib.bench import relay as relay_bench
from eventlib.bench import replay as replay_bench
from eventlib.bench import scan as scan_bench
from eventlib.bench.figures import size
from eventlib.bench.interval_cost import STORAGE_MS_PER_KIB
from eventlib.bench.interval_table import HEADINGS as INTERVAL_HEADINGS
from eventlib.bench.interval_table import certainty, interval_lines
from eventlib.bench.measurement import Benchmark
from eventlib.bench.order_mix import HOT_FROM, OrderMix
from eventlib.bench.parameters import parsed_intervals, parsed_lengths
from eventlib.bench.table import HEADINGS, lines
from eventlib.bench.workers import MAX_WORKERS
from eventlib.cli.context import services, settings
from eventlib.cli.output import notes, print_json, progress, results
from eventlib.errors import ReportError
from eventlib.streaming.clients import KafkaAddress

app = typer.Typer(name="bench", help="Measure, against floors measured in the same run.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON object, for scripts.")]
Output = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Write the figures as JSON and the plot as SVG to DIR.")
]
Sink = Callable[[dict[str, Any], object], None]
"""Takes the JSON object and what it was made of."""

Rounds = Annotated[int, typer.Option(min=1, max=1000, help="Rounds, of which the medians are told.")]


@app.command()
def append(
    events: Annotated[int, typer.Option(min=10, max=100_000, help="Events of each writer in a loop.")] = 200,
    rounds: Rounds = 9,
    writers: Annotated[
        int, typer.Option(min=1, max=MAX_WORKERS, help="Processes that write at once, beside one alone.")
    ] = append_bench.WRITERS,
    as_json: Json = False,
    output: Output = None,
) -> None:
    """Append events with their outbox rows, one by one and in batches of ten, in a scratch database."""
    write = _sink("append", output)
    with _progress("appending", append_bench.LOOPS_PER_ROUND * rounds * (1 if writers == 1 else 2)) as advance:
        benchmark = append_bench.bench_append(
            *_postgres(),
            events=events,
            rounds=rounds,
            concurrent_writers=writers,
            advance=advance,
        )
    _tell(benchmark, as_json, write)


@app.command()
def replay(
    lengths: Annotated[str, typer.Option(help="Events of the orders, separated by commas.")] = ",".join(
        map(str, replay_bench.LENGTHS)
    ),
    rounds: Rounds = 21,
    as_json: Json = False,
    output: Output = None,
) -> None:
    """Load orders without and with snapshots, in a scratch database."""
    wanted = parsed_lengths(lengths)
    write = _sink("replay", output)
    with _progress("loading", replay_bench.measures(wanted) * rounds) as advance:
        benchmark = replay_bench.bench_replay(
            *_postgres(),
            rounds=rounds,
            lengths=wanted,
            advance=advance,
        )
    _tell(benchmark, as_json, write)


@app.command()
def interval(
    every: Annotated[
        str, typer.Option(help="Events between two snapshots, separated by commas; `none` for no snapshots.")
    ] = ",".join("none" if one is None else str(one) for one in interval_bench.INTERVALS),
    rounds: Rounds = 11,
    moments: Annotated[
        int, typer.Option(min=1, max=100_000, help="Moments sampled from the mix, at which orders are loaded.")
    ] = 200,
    orders: Annotated[int, typer.Option(min=1, max=1_000_000, help="Orders in the mix.")] = OrderMix.orders,
    hot_share: Annotated[float, typer.Option(min=0, max=1, help="Of them that are hot.")] = OrderMix.hot_share,
    longest: Annotated[
        int, typer.Option(min=HOT_FROM, max=1_000_000, help="Events of the longest hot order.")
    ] = OrderMix.longest,
    seed: Annotated[int, typer.Option(help="Of all that is random in the mix.")] = OrderMix.seed,
    storage_price: Annotated[
        float, typer.Option(min=0, help="Milliseconds a command that keeping one KiB less for each event is worth.")
    ] = STORAGE_MS_PER_KIB,
    as_json: Json = False,
    output: Output = None,
) -> None:
    """Recommend how many events apart snapshots should be, over a realistic mix of orders, in a scratch database."""
    intervals = parsed_intervals(every)
    write = _sink("interval", output)
    with _progress("loading", interval_bench.steps(rounds, len(intervals))) as advance:
        study = interval_bench.bench_interval(
            *_postgres(),
            rounds=rounds,
            moments=moments,
            mix=OrderMix(orders, hot_share, longest, seed),
            intervals=intervals,
            storage_ms_per_kib=storage_price,
            advance=advance,
        )
    document = study.document()
    write(document, study)
    if as_json:
        print_json(document)
        return
    _print_table("interval", INTERVAL_HEADINGS, interval_lines(study))
    for sentence in (*certainty(study), study.cost_model, *study.benchmark.notes):
        results.print(sentence)


@app.command()
def scan(
    events: Annotated[int, typer.Option(min=1_000, max=100_000_000, help="Events in the log.")] = 200_000,
    rounds: Rounds = 7,
    processes: Annotated[
        int, typer.Option(min=2, max=MAX_WORKERS, help="That share the log, beside one alone.")
    ] = scan_bench.PROCESSES,
    as_json: Json = False,
    output: Output = None,
) -> None:
    """Read a whole log as typed events, in a scratch database."""
    write = _sink("scan", output)
    with _progress("scanning", scan_bench.steps(events, rounds)) as advance:
        benchmark = scan_bench.bench_scan(
            *_postgres(),
            events=events,
            rounds=rounds,
            processes=processes,
            advance=advance,
        )
    _tell(benchmark, as_json, write)


@app.command()
def load(
    events: Annotated[int, typer.Option(min=100, max=10_000_000, help="Events of one load.")] = 50_000,
    rounds: Rounds = 5,
    indexes: Annotated[bool, typer.Option("--indexes", help="Find out what each index costs, too.")] = False,
    as_json: Json = False,
    output: Output = None,
) -> None:
    """Load events in bulk with all indexes, in scratch databases."""
    write = _sink("load", output)
    with _progress("loading", load_bench.steps(events, rounds, load_bench.INDEXES if indexes else 0)) as advance:
        benchmark = load_bench.bench_load(
            *_postgres(),
            events=events,
            rounds=rounds,
            indexes=indexes,
            advance=advance,
        )
    _tell(benchmark, as_json, write)


@app.command()
def lag(
    rate: Annotated[int, typer.Option(min=1, max=5_000, help="Events a second.")] = 500,
    seconds: Annotated[int, typer.Option(min=1, max=600, help="That a round is measured for.")] = 10,
    rounds: Rounds = 3,
    cdc: Annotated[bool, typer.Option("--cdc", help="Measure Debezium in the place of the relay, too.")] = False,
    outage: Annotated[
        int,
        typer.Option(
            min=0,
            max=600,
            metavar="SECONDS",
            help="Kill a broker, started for that, for so long, and wait until fresh.",
        ),
    ] = 0,
    as_json: Json = False,
    output: Output = None,
) -> None:
    """From commit to visible at a steady load, in a scratch database and a topic of its own."""
    write = _sink("lag", output)
    with _progress("appending", lag_bench.steps(seconds, rounds, cdc, outage)) as advance:
        benchmark = lag_bench.bench_lag(
            *_servers(),
            rate=rate,
            seconds=seconds,
            rounds=rounds,
            cdc=cdc,
            outage=outage,
            advance=advance,
        )
    _tell(benchmark, as_json, write)


BacklogEvents = Annotated[int, typer.Option(min=100, max=5_000_000, help="Events in the backlog.")]


@app.command()
def relay(events: BacklogEvents = 50_000, rounds: Rounds = 5, as_json: Json = False, output: Output = None) -> None:
    """Drain an outbox, in a scratch database and a topic of its own."""
    write = _sink("relay", output)
    with _progress("publishing", relay_bench.LOOPS_PER_ROUND * rounds) as advance:
        benchmark = relay_bench.bench_relay(
            *_servers(),
            events=events,
            rounds=rounds,
            advance=advance,
        )
    _tell(benchmark, as_json, write)


@app.command()
def project(events: BacklogEvents = 50_000, rounds: Rounds = 5, as_json: Json = False, output: Output = None) -> None:
    """Apply a topic to an empty read model, in a scratch database and a topic of its own."""
    write = _sink("project", output)
    with _progress("projecting", project_bench.LOOPS_PER_ROUND * rounds) as advance:
        benchmark = project_bench.bench_project(
            *_servers(),
            events=events,
            rounds=rounds,
            advance=advance,
        )
    _tell(benchmark, as_json, write)


@app.command()
def rebuild(
    events: Annotated[int, typer.Option(min=1_000, max=100_000_000, help="Events in the log.")] = 1_000_000,
    rounds: Rounds = 3,
    processes: Annotated[
        int | None, typer.Option(min=1, max=MAX_WORKERS, help="That load at once; by default one a processor.")
    ] = None,
    as_json: Json = False,
    output: Output = None,
) -> None:
    """Make read models anew from the log, in a scratch database."""
    write = _sink("rebuild", output)
    with _progress("rebuilding", rebuild_bench.steps(events, rounds)) as advance:
        benchmark = rebuild_bench.bench_rebuild(
            *_postgres(),
            events=events,
            rounds=rounds,
            processes=processes,
            advance=advance,
        )
    _tell(benchmark, as_json, write)


@app.command()
def growth(
    events: Annotated[
        int, typer.Option(min=50_000, max=1_000_000_000, help="Events in the large log, about 700 bytes each.")
    ] = growth_bench.EVENTS,
    start: Annotated[int, typer.Option(min=25_000, help="Events in the small log.")] = growth_bench.START,
    rounds: Rounds = 21,
    as_json: Json = False,
    output: Output = None,
) -> None:
    """Append and load in a small log and in a large one, in turns, in scratch databases."""
    if events <= start:
        raise typer.BadParameter(f"the log has to grow: more than --start {start}", param_hint="--events")
    write = _sink("growth", output)
    with _progress("growing", growth_bench.steps(events, rounds, start)) as advance:
        benchmark = growth_bench.bench_growth(
            *_postgres(),
            events=events,
            rounds=rounds,
            start=start,
            advance=advance,
        )
    _tell(benchmark, as_json, write)
    if not as_json:
        _print_disk(benchmark)


def _postgres() -> tuple[str, int]:
    """The URL of a role that may create databases, and into how many partitions the log is divided."""
    return services().owner_url, settings().store_partitions


def _servers() -> tuple[str, KafkaAddress, int, int]:
    """The same, Kafka, and into how many partitions a topic is divided."""
    owner_url, store_partitions = _postgres()
    return owner_url, services().kafka, store_partitions, settings().topic_partitions


@contextmanager
def _progress(doing: str, total: int) -> Iterator[Callable[..., None]]:
    """Show a bar; gives what moves it on, by one or by so many steps."""
    with progress() as bar:
        yield functools.partial(bar.advance, bar.add_task(doing, total=total))


def _tell(benchmark: Benchmark, as_json: bool, write: Sink) -> None:
    document = benchmark.document()
    write(document, benchmark)
    if as_json:
        print_json(document)
        return
    _print_table(benchmark.name, HEADINGS, [line.cells for line in lines(benchmark)])
    for sentence in (benchmark.method, *benchmark.notes):
        results.print(sentence)


def _print_disk(benchmark: Benchmark) -> None:
    table = Table("on the disk", "of", "small log", "large log", title="bench growth: disk", box=None)
    for early, late in growth_bench.disk_used(benchmark):
        table.add_row(late.name, late.table, size(early.size), size(late.size))
    results.print(table)


def _print_table(name: str, headings: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    table = Table(*headings, title=f"bench {name}", box=None)
    for row in cells:
        table.add_row(*row)
    results.print(table)


def _sink(name: str, output: Path | None) -> Sink:
    """What writes `<name>.json` and `<name>.svg`, if anywhere. Made before anything is measured, so as to fail before.

    Raises:
        ReportError: nothing can be written there, or there is nothing to draw with.
    """
    if output is None:
        return lambda document, measured: None
    # Imported when a plot is wanted: the workbench is an extra, and takes a second that other commands need not wait.
    try:
        chart_of = getattr(importlib.import_module(f"eventlib.reporting.charts.{name}"), f"{name}_chart")
    except ModuleNotFoundError as error:
        raise ReportError(f"plots need the workbench ({error}): pip install 'eventlib[workbench]'") from None
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReportError(f"--output {output}: {error}") from None
    figures, plot = output / f"{name}.json", output / f"{name}.svg"

    def write(document: dict[str, Any], measured: object) -> None:
        chart = chart_of(measured)
        figures.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
        plot.write_text(chart.file, encoding="utf-8")
        notes.print(f"{chart.title}: {figures}, {plot}")

    return write
