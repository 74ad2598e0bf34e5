"""Five million events folded anew while orders are written, killed twice: equal to the log, and nobody sees half of it."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import pytest

from eventlib.bench.filling import fill
from eventlib.bench.order_mix import OrderMix
from eventlib.orders.projections import ORDER_PROJECTIONS
from eventlib.projections.reconcile import verify
from eventlib.store.connection import Connection
from eventlib.store.event_store import Store
from tests.orders import CART, execute
from tests.processes import background, eventlib
from tests.waiting import wait_for

EVENTS = 5_000_000
PARTITIONS = 16
REBUILD = ("projections", "rebuild", "order_projections")

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1500)]


@pytest.fixture
def store_partitions() -> int:
    return PARTITIONS


def test_a_large_rebuild_killed_twice_while_orders_are_written(
    database_url: str, store: Store, eventlib_environment: dict[str, str]
) -> None:
    fill(store.connection, OrderMix(orders=2_000).histories(), EVENTS)
    loaded = rows_in(store.connection, "event_store", "DISTINCT aggregate_id")
    written: list[UUID] = []
    seen: set[int] = set()
    with (
        background(eventlib_environment, "run", "all"),
        repeated(database_url, lambda mine: written.append(placed(mine))),
        repeated(database_url, lambda mine: seen.add(rows_in(mine.connection, "order_projections"))),
    ):
        for parts in (3, 8):
            with background(eventlib_environment, *REBUILD) as process:
                wait_for(lambda process=process, parts=parts: loaded_parts(store) >= parts or has_ended(process), 300)
                process.send_signal(signal.SIGKILL)
                assert process.wait() == -signal.SIGKILL, "it was done before it could be killed"
            late = written[-1]
            wait_for(
                lambda late=late: visible(store.connection, late)
            )  # in the old table, to which the projector goes on
        done = eventlib(eventlib_environment, *REBUILD, "--json", timeout_s=900)
        assert done.returncode == 0, done.stderr
        late = written[-1]
        wait_for(lambda: visible(store.connection, late))  # in the new one

    rebuilt = json.loads(done.stdout)
    assert rebuilt["resumed"] >= 8 and rebuilt["events"] >= EVENTS and rebuilt["caught_up"] > 0
    few, many = ([rows for rows in seen if (rows < loaded) is less] for less in (True, False))
    assert few and many and max(few) <= len(written)
    finished = eventlib(eventlib_environment, "run", "all", "--until-caught-up")
    assert finished.returncode == 0, finished.stderr
    found = verify(store, ORDER_PROJECTIONS)
    aggregates = loaded + len(written)
    assert (found.aggregates, found.equal, found.behind, found.orphans) == (aggregates, aggregates, 0, [])


@contextmanager
def repeated(database_url: str, do: object) -> Iterator[None]:
    """Something done over and over on a connection of its own; what it raises comes up at the end."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with Store.open(database_url) as mine:
                while not stop.wait(0.02):
                    do(mine)  # type: ignore[operator]
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
    assert not failures and not thread.is_alive(), failures


def placed(store: Store) -> UUID:
    order_id = uuid4()
    execute(store, order_id, *CART)
    return order_id


def rows_in(connection: Connection, table: str, what: str = "*") -> int:
    return int(connection.execute(f"SELECT count({what}) FROM {table}").fetchall()[0][0])


def visible(connection: Connection, order_id: UUID) -> bool:
    return bool(connection.execute("SELECT FROM order_projections WHERE order_id = %s", [order_id]).fetchall())


def loaded_parts(store: Store) -> int:
    return rows_in(store.connection, "projection_build_parts")


def has_ended(process: subprocess.Popen[str]) -> bool:
    return process.poll() is not None
