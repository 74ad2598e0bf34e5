"""A bulk load writes what appends would have written, or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlib.errors import ConcurrencyError, DuplicateEvent, InvalidEvent
from eventlib.events import Event
from eventlib.orders import ORDER
from eventlib.orders.events import OrderItemAdded, OrderPlaced
from eventlib.store.bulk_load import Stream, bulk_load
from eventlib.store.event_store import Store
from eventlib.store.scan import partitions, scan_partition
from tests.orders import CART, USER, execute, metadata

EVENTS: Sequence[Event] = [OrderPlaced(USER, "EUR"), OrderItemAdded("A", 1, 100, "me"), OrderItemAdded("B", 2, 5, "me")]

CONTENT = (
    "event_id, aggregate_id, aggregate_type, event_type, event_data::text, metadata::text, version, schema_version"
)


def count(store: Store, table: str) -> int:
    return int(store.connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])


def test_it_writes_what_an_append_writes(store: Store) -> None:
    order_id, about = uuid4(), metadata(reason='back\\slash "quote"\n\ttab', ip="203.0.113.7")
    store.append(ORDER, order_id, 0, EVENTS, about)
    appended = store.connection.execute(f"SELECT {CONTENT} FROM event_store ORDER BY version").fetchall()
    with store.connection.transaction():
        store.connection.execute("ALTER TABLE event_store DISABLE TRIGGER USER")
        store.connection.execute("DELETE FROM event_store")
        store.connection.execute("DELETE FROM outbox")
    assert bulk_load(store.connection, ORDER, [Stream(order_id, 0, EVENTS, about)], publish=True) == 3
    assert store.connection.execute(f"SELECT {CONTENT} FROM event_store ORDER BY version").fetchall() == appended
    assert store.connection.execute(f"SELECT {CONTENT} FROM outbox ORDER BY id").fetchall() == appended
    assert [one.event for one in store.read(ORDER, order_id)] == EVENTS


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=50))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_any_text_comes_back(store: Store, text: str) -> None:
    order_id, about = uuid4(), metadata(reason=text, device="\\N" + text)
    events = [OrderItemAdded(text, 1, 100, "\\"), OrderItemAdded("\\N", 1, 100, text)]
    bulk_load(store.connection, ORDER, [Stream(order_id, 0, events, about)], publish=False)
    recorded = list(store.read(ORDER, order_id))
    assert [one.event for one in recorded] == events and recorded[0].metadata == about
    scanned = [
        one
        for partition in partitions(store.connection)
        for one in scan_partition(store.connection, {"order": ORDER}, partition)
        if one.aggregate_id == order_id
    ]
    assert sorted(scanned, key=lambda one: one.version) == recorded


def test_unpublished_history_goes_to_the_log_alone(store: Store) -> None:
    bulk_load(store.connection, ORDER, [Stream(uuid4(), 0, EVENTS, metadata())], publish=False)
    assert (count(store, "event_store"), count(store, "outbox")) == (3, 0)


def test_in_a_transaction_of_the_caller_only_what_was_loaded_is_queued(store: Store) -> None:
    with store.connection.transaction():
        execute(store, uuid4(), *CART)
        bulk_load(store.connection, ORDER, [Stream(uuid4(), 0, EVENTS, metadata())], publish=True)
        bulk_load(store.connection, ORDER, [Stream(uuid4(), 0, EVENTS, metadata())], publish=False)
        bulk_load(store.connection, ORDER, [Stream(uuid4(), 0, EVENTS, metadata())], publish=True)
    assert (count(store, "event_store"), count(store, "outbox")) == (len(CART) + 9, len(CART) + 6)


def test_streams_go_on_at_the_version_that_they_have(store: Store) -> None:
    order_id = uuid4()
    streams = [Stream(order_id, 0, EVENTS, metadata()), Stream(order_id, 3, [EVENTS[1]], metadata())]
    assert bulk_load(store.connection, ORDER, streams, publish=True) == 4
    assert bulk_load(store.connection, ORDER, [Stream(order_id, 4, [EVENTS[2]], metadata())], publish=True) == 1
    assert [one.version for one in store.read(ORDER, order_id)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("expected", "actual"), [(0, 3), (2, 3), (4, 3), (9, 3)])
def test_another_expected_version_writes_nothing_at_all(store: Store, expected: int, actual: int) -> None:
    order_id = uuid4()
    store.append(ORDER, order_id, 0, EVENTS, metadata())
    streams = [Stream(uuid4(), 0, EVENTS, metadata()), Stream(order_id, expected, EVENTS, metadata())]
    with pytest.raises(ConcurrencyError) as caught:
        bulk_load(store.connection, ORDER, streams, publish=True)
    assert (caught.value.aggregate_id, caught.value.actual) == (order_id, actual)
    assert (count(store, "event_store"), count(store, "outbox")) == (3, 3)


def test_a_stream_of_another_type_is_not_continued(store: Store) -> None:
    order_id = uuid4()
    store.append(ORDER, order_id, 0, EVENTS, metadata())
    cart = type(ORDER)("cart", ORDER.initial, ORDER.decide, ORDER.evolve, ORDER.events)
    with pytest.raises(InvalidEvent, match=f"{order_id} is a stream of aggregate order"):
        bulk_load(store.connection, cart, [Stream(order_id, 3, EVENTS, metadata())], publish=True)
    assert count(store, "event_store") == 3


def test_the_same_command_twice_is_noticed(store: Store) -> None:
    order_id, about = uuid4(), metadata()
    store.append(ORDER, order_id, 0, EVENTS, about)
    with pytest.raises(DuplicateEvent):
        bulk_load(store.connection, ORDER, [Stream(order_id, 3, EVENTS, about)], publish=True)
    assert count(store, "event_store") == 3


def test_one_bad_event_among_many_refuses_them_all(store: Store) -> None:
    good = [Stream(uuid4(), 0, EVENTS, metadata()) for _ in range(3000)]
    bad = Stream(uuid4(), 0, [OrderItemAdded("A", 0, 100, "me")], metadata())
    with pytest.raises(InvalidEvent, match="`int` >= 1"):
        bulk_load(store.connection, ORDER, [*good, bad], publish=True)
    assert count(store, "event_store") == count(store, "outbox") == 0
    assert store.append(ORDER, uuid4(), 0, EVENTS, metadata()).version == 3  # the connection is as good as before


def test_the_later_part_of_a_stream_before_the_earlier_one_is_refused(store: Store) -> None:
    order_id = uuid4()
    streams = [Stream(order_id, 3, [EVENTS[1]], metadata()), Stream(order_id, 0, EVENTS, metadata())]
    with pytest.raises(ConcurrencyError):
        bulk_load(store.connection, ORDER, streams, publish=True)
    assert count(store, "event_store") == count(store, "outbox") == 0


def test_what_somebody_appends_while_a_load_is_under_way_does_not_come_to_stand_after_it(
    store: Store, database_url: str
) -> None:
    order_id = uuid4()
    store.append(ORDER, order_id, 0, EVENTS[:2], metadata())

    def streams() -> Iterator[Stream]:
        yield Stream(order_id, 3, [EVENTS[1]], metadata())
        for _ in range(400):  # more than is sent at a time
            yield Stream(uuid4(), 0, EVENTS, metadata())
        with Store.open(database_url) as other:
            other.append(ORDER, order_id, 2, [EVENTS[2]], metadata())

    with pytest.raises(ConcurrencyError):
        bulk_load(store.connection, ORDER, streams(), publish=True)
    assert count(store, "event_store") == 3


def test_text_is_stored_as_it_is_whatever_encoding_the_address_asks_for(database_url: str) -> None:
    with Store.open(f"{database_url}&client_encoding=latin1") as store:
        order_id, events = uuid4(), [OrderItemAdded("Bücher", 1, 100, "me")]
        bulk_load(store.connection, ORDER, [Stream(order_id, 0, events, metadata())], publish=False)
        assert [one.event for one in store.read(ORDER, order_id)] == events
