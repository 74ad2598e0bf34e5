"""`eventlib bench`: measurements, each against a floor measured in the same run."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from eventlib.bench.append import LOOPS_PER_ROUND, bench_append
from eventlib.bench.measurement import Benchmark
from eventlib.cli.context import services, settings
from eventlib.cli.output import print_json, progress, results

app = typer.Typer(name="bench", help="Measure, against a floor measured in the same run.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON object, for scripts.")]


@app.callback()
def _group() -> None: ...


@app.command()
def append(
    events: Annotated[int, typer.Option(min=10, max=100_000, help="Events a loop.")] = 200,
    rounds: Annotated[int, typer.Option(min=1, max=1000, help="Rounds, of which the medians are told.")] = 51,
    as_json: Json = False,
) -> None:
    """Append events with their outbox rows, in a scratch database on the configured server."""
    with progress() as bar:
        task = bar.add_task("appending", total=LOOPS_PER_ROUND * rounds)
        benchmark = bench_append(
            services().database_url, settings().store_partitions, events, rounds, lambda: bar.advance(task)
        )
    _show(benchmark, as_json)


def _show(benchmark: Benchmark, as_json: bool) -> None:
    if as_json:
        print_json(benchmark.document())
        return
    table = Table("case", "value", "floor", "unit", "value ÷ floor", title=f"bench {benchmark.name}: medians", box=None)
    for result in benchmark.results:
        table.add_row(result.case, f"{result.value:,.0f}", f"{result.floor:,.0f}", result.unit, f"{result.ratio:.2f}")
    results.print(table)
    for floor_name in dict.fromkeys(result.floor_name for result in benchmark.results):
        results.print(f"floor: {floor_name}")
