"""SIGKILL at each point of the pipeline under load, and at fifty random moments: the oracle holds."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest

from eventlib.orders.projections import PROJECTIONS
from eventlib.projections.reconcile import verify
from eventlib.store.event_store import Store
from eventlib.streaming.clients import KafkaAddress
from tests.messages import messages_of, versions_of
from tests.orders import CART, execute
from tests.processes import background, eventlib
from tests.waiting import wait_for

# A worker that kills itself the first few times that it comes to a point; in the product's own code nothing knows of it.
SABOTEUR = """
import os, signal, sys, pathlib
worker, module, owner, name, when, tally = sys.argv[1:7]
import importlib
target = importlib.import_module(module)
target = getattr(target, owner) if owner else target
original = getattr(target, name)

def once():
    path = pathlib.Path(tally)
    count = int(path.read_text() or 0) if path.exists() else 0
    if count % 12 == 8:
        path.write_text(str(count + 1))
        os.kill(os.getpid(), signal.SIGKILL)
    path.write_text(str(count + 1))

def sabotaged(*arguments, **named):
    if when == "before":
        once()
    result = original(*arguments, **named)
    if when == "after":
        once()
    return result

setattr(target, name, sabotaged)
sys.argv = ["eventlib", "run", worker]
from eventlib.cli import main
main()
"""

POINTS = {
    "fetched": ("relay", "eventlib.outbox.unpublished", "Unpublished", "page", "after"),
    "produced": ("relay", "eventlib.outbox.sender", "Sender", "send", "after"),
    "acked": ("relay", "eventlib.outbox.sender", "Sender", "take_acknowledged", "after"),
    "marked": ("relay", "eventlib.outbox.sender", "Sender", "forget", "before"),
    "consumed": ("projector", "eventlib.projections.topic_reader", "TopicReader", "decode", "before"),
    "applied": ("projector", "eventlib.projections.topic_reader", "TopicReader", "record", "before"),
    "committed": ("projector", "eventlib.projections.lag_record", "LagRecord", "add", "before"),
}
"""By the design's name: the worker, and the function before or after which it dies."""


pytestmark = pytest.mark.drill


@pytest.mark.parametrize("point", POINTS)
def test_sigkill_at_a_point_under_load(
    point: str,
    database_url: str,
    store: Store,
    kafka: KafkaAddress,
    eventlib_environment: dict[str, str],
    tmp_path: Any,
) -> None:
    worker, module, owner, name, when = POINTS[point]
    arguments = [worker, module, owner, name, when, str(tmp_path / "tally")]
    other = "projector" if worker == "relay" else "relay"
    with background(eventlib_environment, "run", other), writing(database_url) as orders:
        for _ in range(2):
            command = [sys.executable, "-c", SABOTEUR, *arguments]
            assert (
                subprocess.run(command, env=eventlib_environment, check=False, timeout=60).returncode == -signal.SIGKILL
            )
    finished = eventlib(eventlib_environment, "run", "all", "--until-caught-up")
    assert finished.returncode == 0, finished.stderr
    holds(store, kafka, len(orders))


@contextmanager
def writing(database_url: str) -> Iterator[list[UUID]]:
    """Orders are placed one after the other as long as the block lasts."""
    stop = threading.Event()
    orders: list[UUID] = []

    def write_on() -> None:
        with Store.open(database_url) as store:
            while not stop.wait(0.01):
                orders.append(uuid4())
                execute(store, orders[-1], *CART)

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        yield orders
    finally:
        stop.set()
        writer.join()


def all_there(store: Store, orders: int) -> bool:
    """Whether every projection knows every event; each comes back by itself after an outage."""
    return all(
        store.connection.execute(f"SELECT count(*), coalesce(sum(last_event_version), 0) FROM {one.name}").fetchall()
        == [(orders, orders * len(CART))]
        for one in PROJECTIONS
    )


def holds(store: Store, kafka: KafkaAddress, orders: int) -> None:
    """Every row is the fold of the log; in the topic each version stands, and for the first time in order."""
    for projection in PROJECTIONS:
        found = verify(store, projection)
        assert (found.aggregates, found.equal, found.behind) == (orders, orders, 0), projection.name
    topic = versions_of(messages_of(kafka))
    assert len(topic) == orders
    for versions in topic.values():
        assert list(dict.fromkeys(versions)) == list(range(1, len(CART) + 1))


def test_fifty_random_kills_in_a_row(
    database_url: str, store: Store, kafka: KafkaAddress, eventlib_environment: dict[str, str]
) -> None:
    command = [sys.executable, "-m", "eventlib", "run"]
    workers: dict[str, subprocess.Popen[bytes]] = {}
    with writing(database_url) as orders, ExitStack() as cleared:
        for _ in range(50):
            for name in ("relay", "projector"):
                if name not in workers:
                    workers[name] = subprocess.Popen([*command, name], env=eventlib_environment)
                    cleared.callback(workers[name].kill)
            time.sleep(random.uniform(0.3, 1.6))  # a worker takes about a second until it is at work
            killed = workers.pop(random.choice(list(workers)))
            killed.kill()
            assert killed.wait() == -signal.SIGKILL
    for left in workers.values():
        left.wait()
    finished = eventlib(eventlib_environment, "run", "all", "--until-caught-up")
    assert finished.returncode == 0, finished.stderr
    holds(store, kafka, len(orders))


def test_an_outage_longer_than_any_client_waits_leaves_no_gap(
    database_url: str, store: Store, kafka: KafkaAddress, broker: Any, eventlib_environment: dict[str, str]
) -> None:
    process = broker._process.find()
    assert process is not None
    with background(eventlib_environment, "run", "all"):
        with writing(database_url) as orders:
            wait_for(lambda: len(orders) > 20)
        wait_for(lambda: all_there(store, len(orders)), 60)
        process.send_signal(signal.SIGSTOP)
        try:
            with writing(database_url) as more:
                wait_for(lambda: len(more) > 20)
            # A consumer's session ends after 6 s, a request after 30 s, and a message that may give up does after 60 s.
            time.sleep(61)
        finally:
            process.send_signal(signal.SIGCONT)
        wait_for(lambda: all_there(store, len(orders) + len(more)), 120)
    holds(store, kafka, len(orders) + len(more))
