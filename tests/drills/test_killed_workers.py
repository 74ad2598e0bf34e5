"""Drills with real faults: whatever is killed, nothing is lost and nothing is doubled."""

from __future__ import annotations

import random
import signal
import threading
from pathlib import Path
from uuid import UUID, uuid4

import psutil
import pytest

from eventlib.cli.run import WORKERS
from eventlib.orders import ORDER
from eventlib.orders.projections import ORDER_PROJECTIONS, PROJECTIONS
from eventlib.projections.reconcile import verify
from eventlib.store.event_store import Store
from eventlib.store.snapshot_care import verify_snapshots
from eventlib.streaming.clients import KafkaAddress
from tests.messages import messages_of, versions_of
from tests.orders import CART, execute
from tests.processes import background, eventlib, workers_of
from tests.waiting import wait_for


def test_sigkill_of_relay_and_projector_under_load(
    database_url: str, store: Store, kafka: KafkaAddress, eventlib_environment: dict[str, str]
) -> None:
    orders = [uuid4() for _ in range(800)]
    writer = threading.Thread(target=write, args=(database_url, orders))
    killed = 0
    with background(eventlib_environment, "run", "all") as supervisor:
        wait_for(lambda: len(workers_of(supervisor)) == len(WORKERS))
        writer.start()
        while writer.is_alive():
            writer.join(random.uniform(0.3, 0.9))
            if workers := list(workers_of(supervisor).values()):
                random.choice(workers).send_signal(signal.SIGKILL)
                killed += 1
    assert killed >= 3
    finished = eventlib(eventlib_environment, "run", "all", "--until-caught-up")
    assert finished.returncode == 0, finished.stderr
    for projection in PROJECTIONS:
        result = verify(store, projection)
        assert (result.aggregates, result.equal, result.behind) == (len(orders), len(orders), 0), projection.name
    # In the topic each version stands at least once, and for the first time in order.
    for versions in versions_of(messages_of(kafka)).values():
        assert list(dict.fromkeys(versions)) == list(range(1, len(CART) + 1))


def write(database_url: str, orders: list[UUID]) -> None:
    with Store.open(database_url) as store:
        for command in CART:
            for order_id in orders:
                execute(store, order_id, command)


def test_sigkill_of_the_snapshotter_under_load(
    database_url: str, store: Store, eventlib_environment: dict[str, str]
) -> None:
    def progress() -> list[tuple[object]]:
        return store.connection.execute("SELECT updated_at FROM follower_checkpoints").fetchall()

    orders = [uuid4() for _ in range(600)]
    often = {**eventlib_environment, "EVENTLIB_SNAPSHOT_EVERY": '{"order": 3}'}
    writer = threading.Thread(target=write, args=(database_url, orders))
    writer.start()
    killed = 0
    while writer.is_alive():
        before = progress()
        with background(often, "run", "snapshotter") as snapshotter:
            wait_for(lambda before=before: progress() != before or not writer.is_alive())
            writer.join(random.uniform(0.0, 0.3))
            snapshotter.kill()
            killed += 1
    assert killed >= 2
    newest = "SELECT count(DISTINCT aggregate_id) FROM aggregate_snapshots WHERE version > %s"
    with background(often, "run", "snapshotter"):
        wait_for(lambda: store.connection.execute(newest, [len(CART) - 3]).fetchall() == [(len(orders),)])
    verified = verify_snapshots(store, ORDER)
    assert (verified.bad, verified.stale) == ([], 0)
    for order_id in orders:
        assert store.load(ORDER, order_id) == store.load(ORDER, order_id, use_snapshots=False)


def test_workers_end_when_their_supervisor_is_killed(eventlib_environment: dict[str, str]) -> None:
    with background(eventlib_environment, "run", "all") as supervisor:
        wait_for(lambda: len(workers_of(supervisor)) == len(WORKERS))
        workers = list(workers_of(supervisor).values())
        supervisor.kill()
        _, alive = psutil.wait_procs(workers, timeout=30)
        assert not alive


def test_sigterm_stops_the_whole_tree_cleanly(eventlib_environment: dict[str, str], store: Store) -> None:
    with background(eventlib_environment, "run", "all") as supervisor:
        execute(store, uuid4(), *CART)
        wait_for(lambda: store.connection.execute("SELECT count(*) FROM order_projections").fetchall()[0][0] == 1)
        workers = list(workers_of(supervisor).values())
        supervisor.terminate()
        assert supervisor.wait(30) == 0
        assert len(workers) == len(WORKERS) and not any(worker.is_running() for worker in workers)


def test_what_cannot_be_done_is_said_and_not_called_done(
    store: Store, eventlib_environment: dict[str, str], tmp_path: Path
) -> None:
    execute(store, uuid4(), *CART)
    # A table that is not there: the projector fails again and again.
    store.connection.execute("ALTER TABLE order_projections RENAME TO mislaid")
    stuck = eventlib(eventlib_environment, "run", "all", "--until-caught-up", "--patience", "12")
    assert stuck.returncode == 1
    assert (
        "nothing has moved for 12 s" in stuck.stderr and "6 messages not applied to order_projections" in stuck.stderr
    )
    store.connection.execute("ALTER TABLE mislaid RENAME TO order_projections")
    # A constraint that no row can meet: its order is parked, and caught up is not what that is called.
    store.connection.execute("ALTER TABLE order_projections ADD CHECK (item_count > 1000)")
    parked = eventlib(eventlib_environment, "run", "all", "--until-caught-up")
    assert parked.returncode == 1 and "1 aggregates parked by order_projections" in parked.stderr
    assert "order_projections_item_count_check" in eventlib(eventlib_environment, "projections", "parked").stdout
    assert eventlib(eventlib_environment, "projections", "replay", "order_projections").returncode == 1
    store.connection.execute("ALTER TABLE order_projections DROP CONSTRAINT order_projections_item_count_check")
    assert eventlib(eventlib_environment, "projections", "replay", "order_projections").returncode == 0
    healed = eventlib(eventlib_environment, "run", "all", "--until-caught-up")
    assert healed.returncode == 0, healed.stderr
    assert verify(store, ORDER_PROJECTIONS).equal == 1


@pytest.mark.parametrize("arguments", [("run", "relay"), ("run", "projector"), ("run", "all")])
def test_a_dead_broker_is_said_within_seconds(
    arguments: tuple[str, ...], database_url: str, eventlib_environment: dict[str, str]
) -> None:
    dead = {**eventlib_environment, "EVENTLIB_KAFKA_BOOTSTRAP": "127.0.0.1:1"}
    failed = eventlib(dead, *arguments, timeout_s=20)
    assert failed.returncode == 1
    assert "Kafka at 127.0.0.1:1 cannot be used" in failed.stderr and "Traceback" not in failed.stderr
