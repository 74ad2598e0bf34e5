"""What is deleted from the outbox while change data capture publishes: only what the reader of the slot has confirmed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from struct import pack
from uuid import UUID, uuid4

import pytest
from psycopg import pq

from eventlib.outbox.cdc import PUBLICATION, hand_over_to_cdc, hand_over_to_relays
from eventlib.outbox.cleaner import Cleaner
from eventlib.store.connection import Connection
from eventlib.store.event_store import Store
from eventlib.store.queries import query
from tests.orders import CART, execute
from tests.waiting import wait_for


class Reader:
    """Who reads from a slot and confirms what it is told to."""

    def __init__(self, connection: pq.PGconn) -> None:
        self._connection = connection

    def confirm(self, store: Store, place: str) -> None:
        high, low = (int(half, 16) for half in place.split("/"))
        number = (high << 32) + low
        self._connection.put_copy_data(pack("!cqqqqb", b"r", number, number, number, 0, 0))
        self._connection.flush()
        confirmed = (
            "SELECT confirmed_flush_lsn = %s::pg_lsn FROM pg_replication_slots WHERE database = current_database()"
        )
        wait_for(lambda: store.connection.execute(confirmed, [place]).fetchall() == [(True,)])


@contextmanager
def reading(url: str, slot: str) -> Iterator[Reader]:
    connection = pq.PGconn.connect(f"{url}&replication=database".encode())
    options = f"(proto_version '1', publication_names '{PUBLICATION}')"
    started = connection.exec_(f"START_REPLICATION SLOT {slot} LOGICAL 0/0 {options}".encode())
    assert started.status == pq.ExecStatus.COPY_BOTH, started.error_message
    try:
        yield Reader(connection)
    finally:
        connection.finish()


@pytest.fixture
def slot(store: Store) -> Iterator[str]:
    yield hand_over_to_cdc(store.connection)
    inactive = "SELECT bool_and(NOT active) FROM pg_replication_slots WHERE database = current_database()"
    wait_for(lambda: store.connection.execute(inactive).fetchall() != [(False,)])
    hand_over_to_relays(store.connection)


@pytest.fixture
def cleaner(other_connection: Connection) -> Cleaner:
    return Cleaner(other_connection)


def ordered(store: Store) -> UUID:
    order_id = uuid4()
    execute(store, order_id, *CART)
    return order_id


def place(store: Store) -> str:
    return str(store.connection.execute("SELECT pg_current_wal_insert_lsn()").fetchall()[0][0])


def in_the_outbox(store: Store) -> set[UUID]:
    return {order_id for (order_id,) in store.connection.execute("SELECT aggregate_id FROM outbox")}


def test_what_the_reader_has_confirmed_goes_and_nothing_else(
    store: Store, database_url: str, slot: str, cleaner: Cleaner
) -> None:
    first = ordered(store)
    with reading(database_url, slot) as reader:
        assert cleaner.clean() == 0
        there = place(store)
        second = ordered(store)
        assert cleaner.clean() == 0 and in_the_outbox(store) == {first, second}
        reader.confirm(store, there)
        assert cleaner.clean() == len(CART) and in_the_outbox(store) == {second}
        reader.confirm(store, place(store))
        assert cleaner.clean() == len(CART) and not in_the_outbox(store)


def test_a_slot_made_anew_under_the_same_name_confirms_nothing(
    store: Store, database_url: str, slot: str, cleaner: Cleaner
) -> None:
    def make_anew() -> None:
        store.connection.execute(query("cdc_slot_create"), {"slot": slot})

    unread = ordered(store)
    cleaner.clean()
    # Between two looks: it is confirmed beyond all that was there, and nobody has read from it.
    store.connection.execute("SELECT pg_drop_replication_slot(%s)", [slot])
    make_anew()
    assert cleaner.clean() == 0 and in_the_outbox(store) == {unread}
    store.connection.execute("SELECT pg_drop_replication_slot(%s)", [slot])
    assert cleaner.clean() == 0
    # Seen to be missing, it is not believed either when somebody reads from it again.
    make_anew()
    with reading(database_url, slot) as reader:
        cleaner.clean()
        reader.confirm(store, place(store))
        assert cleaner.clean() == 0 and in_the_outbox(store) == {unread}


def test_the_next_slot_is_believed(store: Store, database_url: str, slot: str, cleaner: Cleaner) -> None:
    store.connection.execute("SELECT pg_drop_replication_slot(%s)", [slot])
    assert cleaner.clean() == 0
    with reading(database_url, hand_over_to_cdc(store.connection)) as reader:
        ordered(store)
        assert cleaner.clean() == 0
        reader.confirm(store, place(store))
        assert cleaner.clean() == len(CART)


def test_a_reader_that_stays_far_behind_is_cleaned_after(
    store: Store, database_url: str, slot: str, cleaner: Cleaner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventlib.outbox.cleaner.REMEMBERED", 8)
    with reading(database_url, slot) as reader:
        orders, places = [], []
        for _ in range(40):
            orders.append(ordered(store))
            assert cleaner.clean() == 0
            places.append(place(store))
        assert len(cleaner._looks) <= 8
        reader.confirm(store, places[10])
        assert cleaner.clean() > 0
        left = in_the_outbox(store)
        assert orders[0] not in left and set(orders[11:]) <= left
