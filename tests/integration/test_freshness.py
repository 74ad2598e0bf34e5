"""Lag, staleness, readiness and the monitor, on a real PostgreSQL and a real Kafka."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from eventlib.errors import ServiceUnavailable
from eventlib.notifications.gateways import LogGateway
from eventlib.notifications.notifier import Notifier
from eventlib.orders import ORDER
from eventlib.orders.events import OrderItemAdded, OrderPlaced
from eventlib.orders.notifications import ORDER_NOTIFICATIONS
from eventlib.orders.projections import ORDER_PROJECTIONS, PROJECTIONS
from eventlib.outbox.relay import Relay
from eventlib.pipeline.monitor import Monitor, application, run_monitor
from eventlib.pipeline.openmetrics import metrics
from eventlib.pipeline.readiness import Readiness, readiness
from eventlib.pipeline.signals import NotifierSignals, Signals, take_signals
from eventlib.projections.health import LOOKED_AT, projection_health
from eventlib.projections.lag_histogram import merged
from eventlib.projections.lag_record import LagRecord, lag_since
from eventlib.projections.parking import Poison, park
from eventlib.projections.projector import Projector
from eventlib.projections.read import read_row
from eventlib.projections.rebuild import rebuild
from eventlib.projections.tables import pause
from eventlib.reporting.runner import ReportFailed, run_report
from eventlib.reporting.verdict import Outcome
from eventlib.settings import Settings
from eventlib.stopping import Stop
from eventlib.store.bulk_load import Stream, bulk_load
from eventlib.store.connection import Connection, connect
from eventlib.store.database_clock import database_clock
from eventlib.store.event_store import Store
from eventlib.store.metrics import SHARED
from eventlib.store.scan import partitions
from eventlib.streaming.clients import KafkaAddress, reach
from tests.conftest import TOPIC_PARTITIONS
from tests.messages import messages_of
from tests.orders import CART, USER, execute, metadata
from tests.processes import background, eventlib, on_terminal, workers_of
from tests.running import running
from tests.waiting import wait_for

LATELY = timedelta(minutes=5)


def take(store: Store, kafka: KafkaAddress) -> Signals:
    return take_signals(store.connection, kafka, reach(kafka), PROJECTIONS)


def unready(store: Store, kafka: KafkaAddress, within_s: float = 5.0) -> dict[str, str]:
    return {part.part: part.finding for part in readiness(take(store, kafka), within_s) if not part.ready}


def test_each_event_is_counted_once(store: Store, relay: Relay, kafka: KafkaAddress) -> None:
    for _ in range(5):
        execute(store, uuid4(), *CART)
    relay.publish_batch()
    projector = Projector(store.connection, kafka, TOPIC_PARTITIONS, ORDER_PROJECTIONS)
    messages = messages_of(kafka)
    projector.apply(messages[:11] + messages[:11])
    projector.apply(messages)
    projector.apply(messages)
    projector._lag.flush(store.connection)
    by_partition = lag_since(store.connection, LATELY)["order_projections"]
    partitions = {message.partition() for message in messages}
    assert by_partition.keys() == partitions
    whole = merged(by_partition.values())
    assert whole.events == len(messages) == 5 * len(CART)
    first = store.connection.execute("SELECT min(created_at) FROM event_store").fetchall()[0][0]
    longest = (database_clock(store.connection) - first).total_seconds() * 1000
    assert 0 < whole.total_ms / whole.events <= longest


def test_what_had_to_be_brought_from_the_log_is_counted_too(store: Store, relay: Relay, kafka: KafkaAddress) -> None:
    execute(store, uuid4(), *CART)
    relay.publish_batch()
    projector = Projector(store.connection, kafka, TOPIC_PARTITIONS, ORDER_PROJECTIONS)
    messages = messages_of(kafka)
    projector.apply(messages[:1])
    projector.apply(messages[3:4])  # Kafka has lost two
    projector.apply(messages)
    projector._lag.flush(store.connection)
    by_partition = lag_since(store.connection, LATELY)["order_projections"]
    assert {partition: one.events for partition, one in by_partition.items()} == {messages[0].partition(): len(CART)}


def test_what_was_measured_adds_up_and_old_minutes_are_forgotten(store: Store) -> None:
    connection, record = store.connection, LagRecord("mine")
    now = database_clock(connection)
    for _ in range(2):
        record.add(now, [(0, now - timedelta(milliseconds=7)), (1, now - timedelta(milliseconds=30))])
        record.flush(connection)
        record.flush(connection)
    record.add(now - timedelta(days=8), [(0, now - timedelta(days=8))])
    record.flush(connection)
    assert connection.execute("SELECT count(*) FROM projection_lag").fetchall() == [(3,)]  # it looks once an hour
    LagRecord("another").flush(connection)  # and when it begins
    assert {
        partition: (one.events, one.total_ms) for partition, one in lag_since(connection, LATELY)["mine"].items()
    } == {
        0: (2, 14.0),
        1: (2, 60.0),
    }
    assert connection.execute("SELECT count(*) FROM projection_lag").fetchall() == [(2,)]


def test_a_read_says_how_stale_it_is_and_has_a_tag_of_its_own(
    store: Store, relay: Relay, kafka: KafkaAddress, eventlib_environment: dict[str, str]
) -> None:
    order_id, connection = uuid4(), store.connection
    assert read_row(connection, ORDER_PROJECTIONS, order_id) is None
    assert eventlib(eventlib_environment, "projections", "show", "my_orders", str(order_id)).returncode == 1
    execute(store, order_id, *CART[:3])
    relay.publish_batch()
    Projector(connection, kafka, TOPIC_PARTITIONS, ORDER_PROJECTIONS).apply(messages_of(kafka))
    fresh = read_row(connection, ORDER_PROJECTIONS, order_id)
    assert (
        fresh and (fresh.version, fresh.etag) == (3, '"order_projections-1-1-3"') and fresh.staleness.behind_events == 0
    )
    execute(store, order_id, *CART[3:])
    stale = read_row(connection, ORDER_PROJECTIONS, order_id)
    assert stale and stale.etag == fresh.etag and stale.row == fresh.row
    assert stale.staleness.behind_events == len(CART) - 3 and stale.staleness.waiting_s > 0
    shown = eventlib(eventlib_environment, "projections", "show", "order_projections", str(order_id))
    assert shown.returncode == 0 and "3 events behind" in shown.stdout and "item_count: 3" in shown.stdout
    as_json = json.loads(
        eventlib(eventlib_environment, "projections", "show", "order_projections", str(order_id), "--json").stdout
    )
    assert as_json["etag"] == fresh.etag and as_json["staleness"]["behind_events"] == 3


def test_another_table_has_other_tags_whatever_code_reads_it(
    store: Store, relay: Relay, kafka: KafkaAddress, database_url: str
) -> None:
    order_id, newer = uuid4(), replace(ORDER_PROJECTIONS, version=2)
    execute(store, order_id, *CART)
    relay.publish_batch()
    Projector(store.connection, kafka, TOPIC_PARTITIONS, ORDER_PROJECTIONS).apply(messages_of(kafka))

    def tag() -> str:
        by_old, by_new = (read_row(store.connection, code, order_id) for code in (ORDER_PROJECTIONS, newer))
        assert by_old and by_new and by_old.etag == by_new.etag
        return by_old.etag

    tags = [tag()]
    for made_anew in (ORDER_PROJECTIONS, newer, ORDER_PROJECTIONS):  # the first one may have repaired a damaged row
        rebuild(database_url, made_anew, processes=1)
        tags.append(tag())
    assert len(set(tags)) == 4


def test_nothing_at_work_is_not_ready_although_nothing_waits(store: Store, kafka: KafkaAddress) -> None:
    found = unready(store, kafka)
    assert found["outbox"] == "no relay is at work"
    assert all("no projector is at work" in found[projection.name] for projection in PROJECTIONS)


def test_a_dead_notifier_is_told(
    store: Store, relay: Relay, kafka: KafkaAddress, eventlib_environment: dict[str, str]
) -> None:
    def looked() -> Signals:
        return take_signals(store.connection, kafka, reach(kafka), PROJECTIONS, ORDER_NOTIFICATIONS)

    assert looked().notifier is None  # nobody has said that there is to be one
    said = eventlib({**eventlib_environment, "EVENTLIB_PUSH_URL": "http://127.0.0.1:9/"}, "ready", "--json")
    assert json.loads(said.stdout)["order_notifications"] == {"ready": False, "finding": "no notifier is at work"}
    execute(store, uuid4(), *CART)
    relay.publish_batch()
    notifier = Notifier(store.connection, kafka, TOPIC_PARTITIONS, ORDER_NOTIFICATIONS, LogGateway())
    notifier.note(messages_of(kafka))
    with running(notifier):
        wait_for(lambda: looked().notifier == NotifierSignals("order_notifications", 1, 0, 0.0))
    execute(store, uuid4(), *CART)
    relay.publish_batch()
    signals = looked()
    assert signals.notifier and (signals.notifier.members, signals.notifier.unapplied) == (0, len(CART))
    *_, part = readiness(signals, 0.0)
    assert (part.part, part.ready) == ("order_notifications", False)
    assert f"no notifier is at work; the oldest of {len(CART)} messages has waited" in part.finding
    store.connection.execute("UPDATE notifications SET state = 'failed', settled_at = clock_timestamp()")
    signals = looked()
    samples = {
        (sample.name, sample.labels.get("state", "")): sample.value
        for family in metrics(signals, readiness(signals, 5.0))
        for sample in family.samples
    }
    assert samples["eventlib_notifiers", ""] == 0 and samples["eventlib_notifier_unapplied_messages", ""] == len(CART)
    assert samples["eventlib_notifier_oldest_seconds", ""] > 0
    assert (samples["eventlib_pushes_lost", "failed"], samples["eventlib_pushes_lost", "expired"]) == (1, 0)
    found = json.loads(eventlib(eventlib_environment, "lag", "--json").stdout)
    assert found["notifier"]["unapplied"] == len(CART) and found["pushes"]["lost"]["failed"] == 1


def test_a_stalled_worker_is_not_ready(store: Store, kafka: KafkaAddress, eventlib_environment: dict[str, str]) -> None:
    with background(eventlib_environment, "run", "all") as supervisor:
        wait_for(lambda: not unready(store, kafka), 60)
        assert eventlib(eventlib_environment, "ready").returncode == 0
        execute(store, uuid4(), *CART)
        wait_for(lambda: not unready(store, kafka))
        workers = workers_of(supervisor)
        # Stopped, not killed: nobody starts them again, and what they were connected to still is.
        workers["relay"].send_signal(signal.SIGSTOP)
        workers["projector"].send_signal(signal.SIGSTOP)
        wait_for(lambda: unready(store, kafka).keys() == {"outbox", *(one.name for one in PROJECTIONS)}, 60)
        said = eventlib(eventlib_environment, "ready", "--json")
        assert said.returncode == 1 and json.loads(said.stdout)["outbox"]["finding"] == "no relay is at work"
        for worker in (workers["relay"], workers["projector"]):
            worker.send_signal(signal.SIGCONT)
        wait_for(lambda: not unready(store, kafka), 60)


def test_what_waits_is_judged_by_its_age_in_the_log(
    store: Store, relay: Relay, kafka: KafkaAddress, other_connection: Connection
) -> None:
    order_id = uuid4()
    execute(store, order_id, *CART)
    assert "6 events has waited" in unready(store, kafka, 0.0)["outbox"]
    relay.publish_batch()
    signals = take(store, kafka)
    (mine, *_) = signals.projections
    age = "SELECT extract(epoch FROM clock_timestamp() - min(created_at))::float FROM event_store"
    assert mine.unapplied == len(CART) and 0 < (mine.oldest_s or 0) <= store.connection.execute(age).fetchall()[0][0]
    assert f"the oldest of {len(CART)} messages has waited" in unready(store, kafka, 0.0)["order_projections"]
    Projector(store.connection, kafka, TOPIC_PARTITIONS, ORDER_PROJECTIONS).apply(messages_of(kafka))
    assert take(store, kafka).projections[0].oldest_s == 0.0
    # Neither a resting projection nor a table of another version is fresh.
    pause(store.connection, ORDER_PROJECTIONS, paused=True)
    other_connection.execute("UPDATE projections SET version = 7 WHERE projection = 'order_projections'")
    finding = unready(store, kafka)["order_projections"]
    assert "it is paused" in finding and "its table is of version 7, not 1" in finding


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


@pytest.fixture
def monitored(eventlib_environment: dict[str, str]) -> Iterator[str]:
    """The address of a monitor beside all workers."""
    port = free_port()
    with background({**eventlib_environment, "EVENTLIB_MONITOR_PORT": str(port)}, "run", "all"):
        yield f"http://127.0.0.1:{port}"


def test_the_monitor_has_what_an_operator_needs(store: Store, monitored: str) -> None:
    def answers() -> bool:
        try:
            return httpx.get(f"{monitored}/ready", timeout=10).status_code == 200
        except httpx.TransportError:
            return False

    wait_for(answers, 60)
    execute(store, uuid4(), *CART)
    park(store.connection, "my_orders", [Poison(uuid4(), 3, "here", "a test")])

    def samples() -> dict[tuple[str, str], float]:
        page = httpx.get(f"{monitored}/metrics", headers={"accept": "application/openmetrics-text"}, timeout=10)
        assert page.headers["content-type"].startswith("application/openmetrics-text") and page.text.endswith("# EOF\n")
        return {
            (sample.name, sample.labels.get("projection") or sample.labels.get("part") or ""): sample.value
            for family in text_string_to_metric_families(page.text)
            for sample in family.samples
            if sample.labels.get("le", "+Inf") == "+Inf"
        }

    # They may become visible in several batches.
    wait_for(lambda: samples().get(("eventlib_projection_lag_seconds_bucket", "my_orders")) == len(CART))
    found = samples()
    assert found["eventlib_outbox_events", ""] == 0 and found["eventlib_relays", ""] == 1
    assert found["eventlib_projectors", "my_orders"] == 1 and found["eventlib_ready", "outbox"] == 1
    assert found["eventlib_projection_parked_aggregates", "my_orders"] == 1
    assert found["eventlib_projection_parked_aggregates", "order_projections"] == 0
    assert httpx.get(f"{monitored}/live", timeout=10).text == "alive\n"
    assert httpx.get(f"{monitored}/metrics", timeout=10).headers["content-type"].startswith("text/plain")


class Slow(Monitor):
    """One whose look takes until it is let go."""

    def __init__(self) -> None:
        super().__init__("", KafkaAddress(""), [], 5.0)
        self.let_go, self.looks = threading.Event(), 0

    def _look(self) -> tuple[Signals | None, list[Readiness]]:
        self.looks += 1
        self.let_go.wait(30)
        time.sleep(1)  # longer than what was seen stays fresh
        return None, [Readiness("servers", False, "slow")]


def test_probes_do_not_queue_behind_a_slow_look_nor_life_behind_them() -> None:
    slow, port, stop = Slow(), free_port(), Stop()
    serving = threading.Thread(target=run_monitor, args=(slow, "127.0.0.1", port, stop))
    serving.start()
    with httpx.Client(timeout=60) as client, ThreadPoolExecutor(45) as probes:  # more than the server has threads
        wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
        answers = [probes.submit(client.get, f"http://127.0.0.1:{port}/ready") for _ in range(45)]
        wait_for(lambda: slow.looks)
        time.sleep(0.5)
        try:
            assert httpx.get(f"http://127.0.0.1:{port}/live", timeout=2).text == "alive\n"
        finally:
            slow.let_go.set()
        assert {answer.result().status_code for answer in answers} == {503}
    stop.set()
    serving.join()
    assert slow.looks == 1


def test_processes_count_together_in_a_folder_that_need_not_be_there(
    eventlib_environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "not" / "yet"
    counting = (
        "from eventlib.store import metrics; metrics.count_together();"
        "metrics.SNAPSHOT_FALLBACKS.labels('order', 'corrupt').inc()"
    )
    environment = {**eventlib_environment, SHARED: str(folder)}
    subprocess.run([sys.executable, "-c", counting], env=environment, check=True)

    async def shown() -> str:
        slow = Slow()
        slow.let_go.set()
        transport = httpx.ASGITransport(application(slow))
        async with httpx.AsyncClient(transport=transport, base_url="http://monitor") as client:
            return (await client.get("/metrics")).text

    assert "snapshot_fallbacks" not in asyncio.run(shown())
    monkeypatch.setenv(SHARED, str(folder))
    assert 'eventlib_snapshot_fallbacks_total{aggregate_type="order",reason="corrupt"} 1.0' in asyncio.run(shown())
    (tmp_path / "file").touch()
    wrong = eventlib({**environment, SHARED: str(tmp_path / "file")}, "ready")
    assert wrong.returncode == 1 and f"{SHARED} names" in wrong.stderr and "Traceback" not in wrong.stderr


def test_a_monitor_without_servers_says_so_and_lives(database_url: str, kafka: KafkaAddress) -> None:
    nobody = Monitor(database_url, KafkaAddress(f"127.0.0.1:{free_port()}"), PROJECTIONS, 5.0)
    signals, (part,) = nobody.look()
    assert signals is None and not part.ready and "Kafka at 127.0.0.1" in part.finding
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ServiceUnavailable, match="cannot listen on"):
        run_monitor(nobody, "127.0.0.1", taken.getsockname()[1], Stop())


def test_the_lag_is_told_on_the_terminal(
    store: Store, database_url: str, server_url: str, eventlib_environment: dict[str, str]
) -> None:
    execute(store, uuid4(), *CART)
    assert eventlib(eventlib_environment, "run", "all", "--until-caught-up").returncode == 0
    park(store.connection, "my_orders", [Poison(parked := uuid4(), 3, "here", "a test of some words " * 9)])
    record, now = LagRecord("my_orders"), database_clock(store.connection)
    record.add(now, [(0, now - timedelta(hours=1))] * 1234)
    record.flush(store.connection)
    shown = eventlib(eventlib_environment, "lag")
    assert shown.returncode == 0 and re.search(r"order_projections +6 ", shown.stdout)
    found = json.loads(eventlib(eventlib_environment, "lag", "--json").stdout)
    assert {name: figures["events"] for name, figures in found["projections"].items()} == {
        projection.name: len(CART) + (1234 if projection.name == "my_orders" else 0) for projection in PROJECTIONS
    }
    narrow = {**eventlib_environment, "EVENTLIB_PUSH_URL": "http://127.0.0.1:9/"}
    with on_terminal(narrow, "projections", "parked") as shown_parked:
        wait_for(lambda: str(parked) in shown_parked() and "my_orders" in shown_parked())
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    with on_terminal(narrow, "lag") as shown_lag, connect(server_url) as owner:
        wait_for(lambda: "order_notifications" in shown_lag())
        rows = [line for line in shown_lag().splitlines() if line.startswith(tuple(one.name for one in PROJECTIONS))]
        assert {row.split()[0] for row in rows} == {projection.name for projection in PROJECTIONS}
        assert all("…" not in row and len(row.rstrip()) <= 80 for row in rows)
        assert any(re.search(r" \d{4} s ", row) for row in rows)  # not in milliseconds
        # A server that is away for a while is told of, and not the end of it.
        owner.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS false')
        wait_for(lambda: "cannot be used" in " ".join(shown_lag().split()))
        owner.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS true')
        wait_for(lambda: "cannot be used" not in " ".join(shown_lag().rpartition("outbox:")[2].split()))


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(database_url=database_url, reports_dir=tmp_path / "out", ready_within_s=1e-6)


def test_the_report_says_whether_the_promise_was_kept(
    store: Store, relay: Relay, settings: Settings, other_connection: Connection
) -> None:
    dead = run_report("projection_health", {}, settings)
    assert [check.name for check in dead.verdict.checks if check.outcome is Outcome.FAILED] == ["Published"]
    assert "no relay is at work" in dead.page.read_text()
    alive = "UPDATE relays SET alive_until = clock_timestamp() + interval '1 hour'"
    relay.publish_batch()
    store.connection.execute(alive)
    nothing = run_report("projection_health", {}, settings)
    assert nothing.exit_code == 3 and nothing.verdict.outcome is Outcome.NOT_COVERED
    assert "became visible in order_projections, my_orders, order_tracking and support_orders" in nothing.verdict.title
    order_id = uuid4()
    execute(store, order_id, *CART)
    now = database_clock(store.connection)
    for projection in PROJECTIONS:
        record = LagRecord(projection.name)
        record.add(now, [(0, now - timedelta(milliseconds=20))] * 99 + [(0, now - timedelta(milliseconds=201))])
        record.flush(store.connection)
    behind = run_report("projection_health", {"minutes": "5"}, settings)
    outcomes = {check.name: check.outcome for check in behind.verdict.checks}
    assert behind.exit_code == 1 and outcomes == {
        "Fresh": Outcome.VERIFIED,
        "Kept up": Outcome.FAILED,
        "Whole": Outcome.VERIFIED,
        "Published": Outcome.FAILED,
    }
    relay.publish_batch()
    store.connection.execute(alive)
    for projection in PROJECTIONS:  # what was left behind is told once, as that
        park(store.connection, projection.name, [Poison(order_id, 1, "here", "a test")])
    parked = run_report("projection_health", {}, settings)
    assert [check.name for check in parked.verdict.checks if check.outcome is Outcome.FAILED] == ["Whole"]
    store.connection.execute("INSERT INTO missed_messages VALUES ('my_orders', 'a topic', 0, 3, 9)")
    missed = run_report("projection_health", {}, settings)
    (whole,) = [check for check in missed.verdict.checks if check.outcome is Outcome.FAILED]
    assert (
        "Aggregates were left behind" in whole.finding and "gone before they were read: 7 by my_orders" in whole.finding
    )
    assert missed.verdict.title == "Not every read model is whole"
    store.connection.execute("DELETE FROM missed_messages")
    late = run_report("projection_health", {"promise_ms": "15"}, settings)
    assert [check.name for check in late.verdict.checks if check.outcome is Outcome.FAILED] == ["Fresh", "Whole"]
    pause(store.connection, ORDER_PROJECTIONS, paused=True)
    store.connection.execute("UPDATE projections SET version = 7 WHERE projection = 'my_orders'")
    resting = {check.name: check for check in run_report("projection_health", {}, settings).verdict.checks}["Kept up"]
    assert resting.outcome is Outcome.FAILED and "order_projections is paused since" in resting.finding.lower()
    assert "table of my_orders is of version 7, not 2" in resting.finding
    page = parked.page.read_text()
    assert str(order_id) in page and "https://" not in page
    store.connection.execute("DELETE FROM dead_events")
    assert [one.unseen for one in projection_health(store.connection, list(PROJECTIONS), LATELY, timedelta(0))] == [
        6
    ] * 4


@pytest.mark.parametrize(
    ("parameters", "message"), [({"minutes": "0"}, "from 1 to"), ({"promise_ms": "7"}, "give one of 1, 2")]
)
def test_parameters_that_make_no_sense(parameters: dict[str, str], message: str, settings: Settings) -> None:
    with pytest.raises(ReportFailed, match=message):
        run_report("projection_health", parameters, settings)


def test_what_has_just_been_written_does_not_hide_what_should_be_visible(store: Store) -> None:
    execute(store, uuid4(), *CART)
    for table in ("event_store", *partitions(store.connection)):
        store.connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
    store.connection.execute("UPDATE event_store SET created_at = now() - interval '1 hour'")
    just_now = [OrderPlaced(USER, "EUR"), *[OrderItemAdded("A", 1, 100, "me")] * LOOKED_AT]
    bulk_load(store.connection, ORDER, [Stream(uuid4(), 0, just_now, metadata())], publish=False)
    (found,) = projection_health(store.connection, [ORDER_PROJECTIONS], LATELY, timedelta(minutes=30))
    assert found.looked_at == found.unseen == len(CART)
