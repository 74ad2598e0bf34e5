"""Readers of the whole log beside writers that do their worst: what a follower must see, and what a cursor sees."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from eventlib.errors import ConcurrencyError
from eventlib.orders import ORDER
from eventlib.orders.events import OrderItemAdded
from eventlib.store import global_read
from eventlib.store.connection import Connection, connect
from eventlib.store.event_store import Store
from eventlib.store.global_read import Checkpoint, read_all, read_page
from tests.orders import metadata
from tests.waiting import wait_for

WRITERS = 6
TRANSACTIONS = 40
AGGREGATES = 4

Seen = list[tuple[UUID, int]]
"""Aggregate and version of each event that a follower was given, in order."""


def event(number: int) -> OrderItemAdded:
    return OrderItemAdded(f"SKU-{number}", 1, 100, "writer")


def write(url: str, aggregates: list[UUID], seed: int) -> None:
    """Transactions that take their number early, append late, commit later still or never, and get in each other's way."""
    chance = random.Random(seed)
    with Store.open(url) as store:
        for number in range(TRANSACTIONS):
            try:
                with store.connection.transaction():
                    store.connection.execute("SELECT pg_current_xact_id()")
                    time.sleep(chance.random() * 0.01)
                    for order_id in sorted(chance.sample(aggregates, chance.choice([1, 1, 1, 2]))):
                        version = store.version(order_id)
                        store.append(ORDER, order_id, version, [event(number)] * chance.choice([1, 1, 3]), metadata())
                    time.sleep(chance.random() * 0.01)
                    if chance.random() < 0.2:
                        raise psycopg.Rollback
            except (ConcurrencyError, psycopg.errors.DeadlockDetected):
                pass  # somebody was first; this transaction leaves no more than used-up positions


class WindowFollower:
    """The library's own, restarted at random moments from what it had written down."""

    def __init__(self, url: str, seed: int) -> None:
        self._url = url
        self._chance = random.Random(seed)
        self._connection = connect(url)
        self._kept: str | None = None
        self.seen: Seen = []

    def poll(self) -> None:
        if self._chance.random() < 0.1:
            self._connection.close()
            self._connection = connect(self._url)
        checkpoint = None if self._kept is None else Checkpoint.from_json(self._kept)
        page = read_page(self._connection, checkpoint, limit=self._chance.choice([1, 3, 50]))
        self.seen += [(stored.aggregate_id, stored.version) for stored in page.events]
        self._kept = page.checkpoint.to_json()
        self.caught_up = page.caught_up

    def finish(self) -> None:
        self.poll()
        while not self.caught_up:
            self.poll()
        self._connection.close()


BY_POSITION = """
    SELECT aggregate_id, version, position FROM event_store
    WHERE position > %(position)s ORDER BY position LIMIT 50"""

BY_TRANSACTION = """
    SELECT aggregate_id, version, position, tx_id::text AS tx_id FROM event_store
    WHERE (tx_id, position) > (%(tx_id)s::xid8, %(position)s) ORDER BY event_store.tx_id, position LIMIT 50"""


class CursorFollower:
    """What one would write first: go on after the last event seen, in some order that looks total."""

    def __init__(self, url: str, statement: str) -> None:
        self._connection = connect(url)
        self._cursor = self._connection.cursor(row_factory=dict_row)
        self._statement = statement
        self._after: dict[str, object] = {"position": 0, "tx_id": "0"}
        self.seen: Seen = []

    def poll(self) -> int:
        rows = self._cursor.execute(self._statement, self._after).fetchall()
        self.seen += [(row["aggregate_id"], row["version"]) for row in rows]
        self._after = rows[-1] if rows else self._after
        return len(rows)

    def finish(self) -> None:
        while self.poll():
            pass
        self._connection.close()


def faults(seen: Seen, log: Seen) -> Counter[str]:
    """What a follower did wrong: it missed events, was given one twice, or one before an earlier one of its aggregate."""
    found: Counter[str] = Counter()
    found["missed"] = len(set(log) - set(seen))
    found["repeated"] = len(seen) - len(set(seen))
    last: dict[UUID, int] = {}
    for aggregate_id, version in seen:
        found["inverted"] += version < last.get(aggregate_id, 0)
        last[aggregate_id] = version
    return +found


def whole_log(connection: Connection) -> Seen:
    return connection.execute("SELECT aggregate_id, version FROM event_store").fetchall()  # type: ignore[return-value]


@pytest.mark.parametrize("seed", range(10))
def test_a_follower_sees_each_event_once_and_in_order_whatever_writers_do(
    database_url: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if seed % 2:
        monkeypatch.setattr(global_read, "FEW", 3)  # every window is a large one, read by position
    aggregates = [uuid4() for _ in range(AGGREGATES)]
    by_window = WindowFollower(database_url, seed)
    by_position = CursorFollower(database_url, BY_POSITION)
    by_transaction = CursorFollower(database_url, BY_TRANSACTION)
    followers = [by_window, by_position, by_transaction]
    writing = threading.Event()
    writing.set()

    def follow(follower: WindowFollower | CursorFollower) -> None:
        while writing.is_set():
            follower.poll()
        follower.finish()

    reading = [threading.Thread(target=follow, args=(follower,)) for follower in followers]
    writers = [
        threading.Thread(target=write, args=(database_url, aggregates, 1000 * seed + number))
        for number in range(WRITERS)
    ]
    with Store.open(database_url) as sleeper, sleeper.connection.transaction():
        sleeper.append(ORDER, uuid4(), 0, [event(0)], metadata())
        for thread in [*reading, *writers]:
            thread.start()
        for thread in writers:
            thread.join()
        with connect(database_url) as beside:
            committed = set(whole_log(beside))
        wait_for(lambda: committed <= set(by_window.seen))  # while the sleeper's transaction is open
    with connect(database_url) as beside:
        log = whole_log(beside)
    writing.clear()
    for thread in reading:
        thread.join()
    assert len(log) > WRITERS * TRANSACTIONS / 2
    assert faults(by_window.seen, log) == {}
    # The very same writers, and a follower that keeps one place in an order of its own misses what is committed late.
    assert faults(by_position.seen, log)["missed"] > 0
    assert faults(by_transaction.seen, log)["missed"] > 0


def test_the_order_of_transactions_inverts_an_aggregate_and_the_windows_do_not(database_url: str) -> None:
    order_id = uuid4()
    with Store.open(database_url) as early, Store.open(database_url) as late:
        with early.connection.transaction():
            early.connection.execute("SELECT pg_current_xact_id()")
            late.append(ORDER, order_id, 0, [event(1)], metadata())
            early.append(ORDER, order_id, 1, [event(2)], metadata())
        follower = CursorFollower(database_url, BY_TRANSACTION)
        follower.finish()
        assert follower.seen == [(order_id, 2), (order_id, 1)]
        pages = list(read_all(early.connection))
        assert [stored.version for page in pages for stored in page.events] == [1, 2]
