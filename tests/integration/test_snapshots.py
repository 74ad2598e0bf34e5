"""A load with a snapshot equals a load without, whatever has happened to the snapshot."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from eventlib.aggregate import Aggregate
from eventlib.errors import CorruptStream, SettingsError
from eventlib.orders import ORDER
from eventlib.orders.commands import AddItem, Command, PlaceOrder
from eventlib.orders.events import OrderItemAdded, OrderPlaced
from eventlib.orders.order import Order
from eventlib.stopping import Stop
from eventlib.store.connection import connect
from eventlib.store.event_store import Store
from eventlib.store.global_read import read_all
from eventlib.store.metrics import SNAPSHOT_FALLBACKS
from eventlib.store.snapshot_care import prune_snapshots, rebuild_snapshots, verify_snapshots
from eventlib.store.snapshots import Loaded, save_snapshot
from eventlib.store.snapshotter import Snapshotter, take_snapshots
from tests.orders import USER, execute, metadata
from tests.waiting import wait_for


def grown(store: Store, events: int) -> UUID:
    """An order with so many events."""
    order_id = uuid4()
    added = [OrderItemAdded(f"SKU-{number % 7}", 1, 100, "me") for number in range(events - 1)]
    store.append(ORDER, order_id, 0, [OrderPlaced(USER, "EUR"), *added], metadata())
    return order_id


def at_version(store: Store, order_id: UUID, version: int) -> Loaded[Order]:
    return Loaded(ORDER.fold(one.event for one in store.read(ORDER, order_id, until=version)), version)


def snapshots_of(store: Store, order_id: UUID) -> list[int]:
    rows = store.connection.execute(
        "SELECT version FROM aggregate_snapshots WHERE aggregate_id = %s ORDER BY version", [order_id]
    )
    return [row[0] for row in rows]


def fallbacks(reason: str) -> float:
    return SNAPSHOT_FALLBACKS.labels("order", reason)._value.get()


def without_the_log_before(store: Store, order_id: UUID, version: int) -> None:
    """What no user can do: take away the events that a snapshot stands for, to see whether a load needs them."""
    with store.connection.transaction():
        store.connection.execute("ALTER TABLE event_store DISABLE TRIGGER USER")
        store.connection.execute(
            "DELETE FROM event_store WHERE aggregate_id = %s AND version < %s", [order_id, version]
        )
        store.connection.execute("ALTER TABLE event_store ENABLE ALWAYS TRIGGER event_store_append_only")


def test_a_load_takes_the_newest_snapshot_and_the_events_after_it(store: Store) -> None:
    order_id = grown(store, 75)
    whole = store.load(ORDER, order_id)
    for version in (25, 50):
        save_snapshot(store.connection, ORDER, order_id, at_version(store, order_id, version))
    assert store.load(ORDER, order_id) == whole
    without_the_log_before(store, order_id, 50)
    assert store.load(ORDER, order_id) == whole
    with pytest.raises(CorruptStream):
        store.load(ORDER, order_id, use_snapshots=False)


@pytest.mark.parametrize("version", [1, 2, 49, 50])
def test_a_snapshot_at_any_version_gives_the_state_of_a_replay(store: Store, version: int) -> None:
    order_id = grown(store, 50)
    save_snapshot(store.connection, ORDER, order_id, at_version(store, order_id, version))
    assert store.load(ORDER, order_id) == store.load(ORDER, order_id, use_snapshots=False)
    assert [*store.load(ORDER, order_id).state.lines] == [*store.load(ORDER, order_id, use_snapshots=False).state.lines]


def test_every_single_byte_of_a_snapshot_flipped_in_turn(store: Store) -> None:
    order_id = uuid4()
    execute(store, order_id, PlaceOrder(USER, "EUR"), AddItem("A", 1, 100, "me"))
    save_snapshot(store.connection, ORDER, order_id, store.load(ORDER, order_id))
    execute(store, order_id, AddItem("B", 1, 100, "me"))
    whole = store.load(ORDER, order_id, use_snapshots=False)
    state, sha256 = store.connection.execute("SELECT state::text, sha256 FROM aggregate_snapshots").fetchall()[0]
    read_differently = 0
    for column, stored in (("state", state.encode()), ("sha256", sha256)):
        for place in range(len(stored)):
            for bit in range(8):
                flipped = bytearray(stored)
                flipped[place] ^= 1 << bit
                value = bytes(flipped) if column == "sha256" else flipped.decode(errors="replace")
                try:
                    with store.connection.transaction():
                        store.connection.execute(f"UPDATE aggregate_snapshots SET {column} = %s", [value])
                except (psycopg.errors.InvalidTextRepresentation, psycopg.DataError):
                    continue  # not even JSON: PostgreSQL does not take it
                before = fallbacks("corrupt")
                assert store.load(ORDER, order_id) == whole, (column, place, bit)
                assert fallbacks("corrupt") == before + 1
                read_differently += 1
        store.connection.execute(
            f"UPDATE aggregate_snapshots SET {column} = %s", [stored if column == "sha256" else state]
        )
    assert read_differently > len(state)
    before = fallbacks("corrupt")
    assert store.load(ORDER, order_id) == whole and fallbacks("corrupt") == before


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("version = 60", "unknown"),
        ("version = 20", "unknown"),
        ("event_id = gen_random_uuid()", "unknown"),
        ("position = position + 1", "unknown"),
        ("state_schema = '7-' || state_schema", "stale"),
        ("aggregate_type = 'cart'", "stale"),
        ("sha256 = sha256('')", "corrupt"),
        ("state = (state::jsonb || '{\"shipping_cents\": 1}')::json", "corrupt"),
        ("state = '{}'", "corrupt"),
        ("state = '[]'", "corrupt"),
    ],
)
def test_a_snapshot_that_lies_is_reported_and_an_older_one_taken(
    store: Store, damage: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    order_id = grown(store, 50)
    whole = store.load(ORDER, order_id)
    for version in (10, 40):
        save_snapshot(store.connection, ORDER, order_id, at_version(store, order_id, version))
    without_the_log_before(store, order_id, 10)
    before = fallbacks(reason)
    with store.connection.transaction():
        store.connection.execute(f"UPDATE aggregate_snapshots SET {damage} WHERE version = 40")
    with caplog.at_level(logging.WARNING):
        assert store.load(ORDER, order_id) == whole
    assert fallbacks(reason) == before + 1
    assert str(order_id) in caplog.text and reason in caplog.text


def test_when_all_snapshots_lie_the_log_is_replayed(store: Store) -> None:
    order_id = grown(store, 50)
    for version in (10, 40):
        save_snapshot(store.connection, ORDER, order_id, at_version(store, order_id, version))
    store.connection.execute("UPDATE aggregate_snapshots SET state = '{}'")
    assert store.load(ORDER, order_id) == store.load(ORDER, order_id, use_snapshots=False)


def test_a_log_that_was_set_back_makes_its_snapshots_worthless(store: Store) -> None:
    order_id = grown(store, 50)
    save_snapshot(store.connection, ORDER, order_id, store.load(ORDER, order_id))
    with store.connection.transaction():
        store.connection.execute("ALTER TABLE event_store DISABLE TRIGGER USER")
        store.connection.execute("DELETE FROM event_store WHERE version > 30")
    assert store.load(ORDER, order_id).version == 30
    added = [OrderItemAdded("OTHER", 1, 100, "me")] * 25
    store.append(ORDER, order_id, 30, added, metadata())
    assert store.load(ORDER, order_id) == store.load(ORDER, order_id, use_snapshots=False)
    assert verify_snapshots(store, ORDER).bad[0].version == 50


def test_a_repeated_command_does_not_bear_out_a_snapshot_of_another_history(store: Store) -> None:
    order_id, repeated = grown(store, 2), metadata()
    store.append(ORDER, order_id, 2, [OrderItemAdded("THEN", 1, 100, "me")], repeated)
    save_snapshot(store.connection, ORDER, order_id, store.load(ORDER, order_id))
    with store.connection.transaction():
        store.connection.execute("ALTER TABLE event_store DISABLE TRIGGER USER")
        store.connection.execute("DELETE FROM event_store WHERE version > 1")
    store.append(ORDER, order_id, 1, [OrderItemAdded("OTHER", 7, 100, "me")], metadata())
    store.append(ORDER, order_id, 2, [OrderItemAdded("NOW", 1, 100, "me")], repeated)
    assert store.load(ORDER, order_id) == store.load(ORDER, order_id, use_snapshots=False)


class Renamed(Order, frozen=True):
    """Tomorrow's state class."""

    remark: str = ""


def test_a_new_state_class_means_a_replay_not_an_error(store: Store) -> None:
    order_id = grown(store, 50)
    save_snapshot(store.connection, ORDER, order_id, store.load(ORDER, order_id))
    tomorrow: Aggregate[Renamed, Command] = Aggregate("order", Renamed, ORDER.decide, ORDER.evolve, ORDER.events)  # type: ignore[arg-type]
    raised = dataclasses.replace(ORDER, state_version=ORDER.state_version + 1)
    before = fallbacks("stale")
    assert store.load(tomorrow, order_id).state == Renamed(
        **{name: getattr(store.load(ORDER, order_id).state, name) for name in Order.__struct_fields__}
    )
    assert store.load(raised, order_id) == store.load(ORDER, order_id)
    assert fallbacks("stale") == before + 2
    assert len({ORDER.state_schema, tomorrow.state_schema, raised.state_schema}) == 3


def test_only_the_newest_snapshots_are_kept(store: Store) -> None:
    order_id, other_id = grown(store, 50), grown(store, 50)
    for one in (order_id, other_id):
        for version in (10, 20, 30, 40):
            save_snapshot(store.connection, ORDER, one, at_version(store, one, version))
    assert snapshots_of(store, order_id) == [30, 40]
    assert prune_snapshots(store, ORDER, keep=1) == 2
    assert snapshots_of(store, order_id) == snapshots_of(store, other_id) == [40]


def test_prune_forgets_those_of_another_state_class(store: Store) -> None:
    order_id = grown(store, 50)
    for version in (10, 20):
        save_snapshot(store.connection, ORDER, order_id, at_version(store, order_id, version))
    store.connection.execute("UPDATE aggregate_snapshots SET state_schema = 'old' WHERE version = 20")
    assert prune_snapshots(store, ORDER) == 1
    assert snapshots_of(store, order_id) == [10]


def test_snapshots_are_taken_of_what_has_grown_and_only_then(store: Store) -> None:
    grown_id, small_id = grown(store, 50), grown(store, 49)
    ids = [grown_id, small_id, uuid4()]
    assert take_snapshots(store, ORDER, ids, every=50) == 1
    assert take_snapshots(store, ORDER, ids, every=50) == 0
    execute(store, small_id, AddItem("X", 1, 1, "me"))
    store.append(ORDER, grown_id, 50, [OrderItemAdded("X", 1, 1, "me")] * 49, metadata())
    assert take_snapshots(store, ORDER, ids, every=50) == 1
    execute(store, grown_id, AddItem("X", 1, 1, "me"))
    assert take_snapshots(store, ORDER, ids, every=50) == 1
    assert (snapshots_of(store, grown_id), snapshots_of(store, small_id)) == ([50, 100], [50])


@contextmanager
def snapshotting(database_url: str) -> Iterator[None]:
    """A snapshotter at work beside the test, on a connection of its own."""
    stop = Stop()
    with connect(database_url) as connection:
        worker = threading.Thread(target=Snapshotter(connection, [ORDER]).run, args=(stop,))
        worker.start()
        yield
        stop.set()
        worker.join()


def test_the_snapshotter_follows_the_log_and_goes_on_where_it_was(store: Store, database_url: str) -> None:
    first_id = grown(store, 60)
    with snapshotting(database_url):
        wait_for(lambda: snapshots_of(store, first_id) == [60])
    store.connection.execute("DELETE FROM aggregate_snapshots")
    second_id = grown(store, 60)
    with snapshotting(database_url):
        wait_for(lambda: snapshots_of(store, second_id) == [60])
    assert snapshots_of(store, first_id) == []


def test_the_interval_can_be_set_for_each_aggregate(store: Store) -> None:
    order_id = grown(store, 60)
    with_own = Snapshotter(store.connection, [ORDER], {"order": 61})
    events = [stored for page in read_all(store.connection) for stored in page.events]
    assert with_own.take_due(events) == 0
    assert Snapshotter(store.connection, [ORDER], {"order": 60}).take_due(events) == 1
    assert snapshots_of(store, order_id) == [60]
    with pytest.raises(SettingsError, match="names oder; there are order"):
        Snapshotter(store.connection, [ORDER], {"oder": 60})


def test_a_checkpoint_of_another_log_makes_it_begin_again(store: Store, database_url: str) -> None:
    order_id = grown(store, 60)
    with snapshotting(database_url):
        wait_for(lambda: snapshots_of(store, order_id) == [60])
    store.connection.execute("DELETE FROM aggregate_snapshots")
    store.connection.execute(
        "UPDATE follower_checkpoints SET checkpoint = checkpoint || %s", [Jsonb({"log_id": str(uuid4())})]
    )
    with snapshotting(database_url):
        wait_for(lambda: snapshots_of(store, order_id) == [60])


def test_what_cannot_be_folded_costs_the_others_nothing(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    broken_id, good_id = grown(store, 60), grown(store, 60)
    store.connection.execute(
        "INSERT INTO event_store (aggregate_id, aggregate_type, event_type, event_data, version) "
        "VALUES (%s, 'order', 'OfTomorrow', '{}', 61)",
        [broken_id],
    )
    with caplog.at_level(logging.WARNING):
        assert take_snapshots(store, ORDER, [broken_id, good_id], every=50) == 1
    assert "OfTomorrow" in caplog.text and snapshots_of(store, good_id) == [60]


def test_verify_tells_good_stale_and_bad_apart(store: Store) -> None:
    ids = [grown(store, 60) for _ in range(5)]
    take_snapshots(store, ORDER, ids, every=50)
    assert (verify_snapshots(store, ORDER).good, verify_snapshots(store, ORDER).bad) == (5, [])
    damage = {
        ids[1]: "state_schema = 'old'",
        ids[2]: "state = '{}'",
        ids[3]: "version = 61",
    }
    for order_id, change in damage.items():
        store.connection.execute(f"UPDATE aggregate_snapshots SET {change} WHERE aggregate_id = %s", [order_id])
    wrong = Loaded(Order(shipping_cents=1), 60)  # as a defect in evolve would have left it
    save_snapshot(store.connection, ORDER, ids[4], wrong)
    result = verify_snapshots(store, ORDER)
    assert (result.snapshots, result.good, result.stale) == (5, 1, 1)
    assert {one.aggregate_id for one in result.bad} == {ids[2], ids[3], ids[4]}
    assert rebuild_snapshots(store, ORDER) == 5
    assert verify_snapshots(store, ORDER).good == 5
