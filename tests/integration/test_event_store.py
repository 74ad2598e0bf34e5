"""The event store on a real PostgreSQL: what is acknowledged is in the log once, in order, for ever."""

import multiprocessing
import threading
import time
from collections.abc import Iterator
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest

from eventlib.aggregate import Aggregate
from eventlib.errors import (
    ConcurrencyError,
    CorruptStream,
    DomainError,
    DuplicateEvent,
    InvalidEvent,
    ServiceUnavailable,
    UnreadableEvent,
)
from eventlib.events import Event
from eventlib.orders import ORDER
from eventlib.orders.commands import AddItem, PlaceOrder, SetShippingCost, SubmitOrder
from eventlib.orders.events import OrderDelivered, OrderItemAdded, OrderPlaced
from eventlib.orders.order import Order, Status
from eventlib.store.connection import connect
from eventlib.store.encoded_events import MAX_VERSION
from eventlib.store.event_store import Store
from eventlib.store.handle import handle
from eventlib.store.snapshots import Loaded
from tests.conftest import STORE_PARTITIONS
from tests.orders import CART, USER, execute, metadata

PLACED = OrderPlaced(USER, "EUR")
ADDED = OrderItemAdded("A", 1, 100, "me")


def count(store: Store, table: str) -> int:
    return int(store.connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])


def test_appended_events_come_back_with_what_the_store_assigned(store: Store) -> None:
    order_id, about = uuid4(), metadata(reason="because", device="iOS 17.4", ip="203.0.113.77")
    appended = store.append(ORDER, order_id, 0, [PLACED, ADDED], about)
    recorded = list(store.read(ORDER, order_id))
    assert [one.event for one in recorded] == [PLACED, ADDED]
    assert [one.version for one in recorded] == [1, 2] and appended.version == 2
    assert [one.position for one in recorded] == appended.positions == sorted(appended.positions)
    assert {one.recorded_at for one in recorded} == {appended.recorded_at}
    assert {one.metadata for one in recorded} == {about}
    assert about.ip == "203.0.113.0/24"
    assert store.load(ORDER, order_id).version == 2
    assert store.load(ORDER, uuid4()) == Loaded(Order(), 0)


def test_an_event_and_its_outbox_row_commit_together(store: Store) -> None:
    execute(store, uuid4(), *CART)
    log = (
        "event_id, aggregate_id, aggregate_type, event_type, event_data, metadata, version, schema_version, "
        "position, created_at"
    )
    in_log = store.connection.execute(f"SELECT {log} FROM event_store ORDER BY position").fetchall()
    in_outbox = store.connection.execute(f"SELECT {log} FROM outbox ORDER BY id").fetchall()
    assert in_log == in_outbox and len(in_log) == len(CART)


@pytest.mark.parametrize("expected", [0, 1, 3, 7])
def test_another_expected_version_writes_nothing(store: Store, expected: int) -> None:
    order_id = uuid4()
    store.append(ORDER, order_id, 0, [PLACED, ADDED], metadata())
    with pytest.raises(ConcurrencyError) as caught:
        store.append(ORDER, order_id, expected, [ADDED], metadata())
    assert (caught.value.expected, caught.value.actual) == (expected, 2)
    assert count(store, "event_store") == count(store, "outbox") == 2


@pytest.mark.parametrize(
    ("expected", "events", "reason"),
    [
        (-1, [PLACED], "expected version .* impossible: -1"),
        (True, [PLACED], "impossible: True"),
        (1.0, [PLACED], "impossible: 1.0"),
        (MAX_VERSION, [PLACED], "impossible"),
        (0, [], "has no events"),
        (0, [PLACED, OrderItemAdded("A", 1, 1.5, "me")], "Expected `int`, got `float`"),  # type: ignore[arg-type]
        (0, [PLACED, OrderItemAdded("A\0", 1, 1, "me")], "NUL"),
    ],
)
def test_refused_at_the_door(store: Store, expected: int, events: list[Event], reason: str) -> None:
    with pytest.raises(InvalidEvent, match=reason):
        store.append(ORDER, uuid4(), expected, events, metadata())
    assert count(store, "event_store") == count(store, "outbox") == 0


def test_metadata_for_each_event_must_be_for_each_event(store: Store) -> None:
    with pytest.raises(InvalidEvent, match="2 events with 1 metadata"):
        store.append(ORDER, uuid4(), 0, [PLACED, ADDED], [metadata()])


class Opened(Event, frozen=True):
    name: str


class Account(msgspec.Struct, frozen=True):
    opened: int = 0


ACCOUNT: Aggregate[Account, str] = Aggregate(
    "account",
    initial=Account,
    decide=lambda account, command: [Opened(command)],
    evolve=lambda account, event: Account(account.opened + 1),
    events=(Opened,),
)


def test_a_stream_belongs_to_one_aggregate_type(store: Store) -> None:
    same_id = uuid4()
    store.append(ORDER, same_id, 0, [PLACED], metadata())
    with pytest.raises(InvalidEvent, match=f"{same_id} is a stream of aggregate order"):
        store.append(ACCOUNT, same_id, 1, [Opened("x")], metadata())
    with pytest.raises(InvalidEvent, match="Opened is not an event of aggregate order"):
        store.append(ORDER, same_id, 1, [Opened("x")], metadata())
    assert store.load(ACCOUNT, same_id).version == 0


def test_a_repeated_command_gives_the_first_outcome_and_writes_nothing(store: Store) -> None:
    order_id, about = uuid4(), metadata()
    first = handle(store, ORDER, order_id, PlaceOrder(USER, "EUR"), about)
    add = metadata()
    handle(store, ORDER, order_id, AddItem("A", 2, 100, "me"), add)
    execute(store, order_id, AddItem("B", 1, 100, "me"), SubmitOrder())
    again = handle(store, ORDER, order_id, PlaceOrder(USER, "EUR"), about)  # illegal by now
    assert (again.version, again.events, again.repeated) == (first.version, first.events, True)
    assert handle(store, ORDER, order_id, AddItem("A", 2, 100, "me"), add).version == 2
    assert store.version(order_id) == count(store, "event_store") == 4


def test_the_same_command_on_two_aggregates_is_executed_on_both(store: Store) -> None:
    about = metadata()
    outcomes = [handle(store, ORDER, uuid4(), PlaceOrder(USER, "EUR"), about) for _ in range(2)]
    assert [outcome.repeated for outcome in outcomes] == [False, False]


def test_an_illegal_command_is_refused_with_the_reason(store: Store) -> None:
    with pytest.raises(DomainError, match="the order is new"):
        handle(store, ORDER, uuid4(), SubmitOrder(), metadata())
    assert count(store, "event_store") == 0


@pytest.fixture
def privileged(store: Store) -> Iterator[psycopg.Connection[tuple[int]]]:
    """A superuser who has even switched ordinary triggers off."""
    execute(store, uuid4(), *CART)
    store.connection.execute("SET session_replication_role TO replica")
    yield store.connection
    store.connection.execute("SET session_replication_role TO origin")


@pytest.mark.parametrize("action", ["UPDATE {} SET version = version + 1", "DELETE FROM {}", "TRUNCATE {}"])
@pytest.mark.parametrize("table", ["event_store", *(f"event_store_{number:04}" for number in range(STORE_PARTITIONS))])
def test_nothing_changes_the_log(privileged: psycopg.Connection[tuple[int]], action: str, table: str) -> None:
    rows = privileged.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
    if rows == 0 and "TRUNCATE" not in action:
        privileged.execute(action.format(table))  # nothing there to refuse
    else:
        with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
            privileged.execute(action.format(table))
    assert privileged.execute("SELECT count(*) FROM event_store").fetchall()[0][0] == len(CART)


def test_a_gap_in_the_log_is_noticed(store: Store) -> None:
    order_id = uuid4()
    store.append(ORDER, order_id, 0, [PLACED], metadata())
    store.connection.execute(
        "INSERT INTO event_store (aggregate_id, aggregate_type, event_type, event_data, metadata, version) "
        "SELECT aggregate_id, aggregate_type, event_type, event_data, metadata, 3 FROM event_store"
    )
    with pytest.raises(CorruptStream, match="2 events from version 1 to 3: some are missing"):
        store.load(ORDER, order_id)
    with pytest.raises(CorruptStream, match="no version 2: the next is 3"):
        list(store.read(ORDER, order_id))


def _add_items(database_url: str, order_id: UUID, sku: str, times: int) -> None:
    with Store.open(database_url) as store:
        for _ in range(times):
            handle(store, ORDER, order_id, AddItem(sku, 1, 100, sku), metadata())


def test_two_writers_racing_a_thousand_times_lose_nothing(store: Store, database_url: str) -> None:
    order_id, times = uuid4(), 1000
    execute(store, order_id, PlaceOrder(USER, "EUR"))
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=_add_items, args=(database_url, order_id, sku, times)) for sku in ("left", "right")
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    versions = [one.version for one in store.read(ORDER, order_id)]
    assert versions == list(range(1, 2 * times + 2))
    order = store.load(ORDER, order_id).state
    assert {sku: line.quantity for sku, line in order.lines.items()} == {"left": times, "right": times}


def test_a_lost_race_is_decided_anew_on_the_new_state(store: Store, database_url: str) -> None:
    order_id = uuid4()
    execute(store, order_id, *CART[:-1])
    raced = []

    def decide_while_somebody_submits(order: Order, command: AddItem) -> list[Event]:
        if not raced:
            raced.append(True)
            with Store.open(database_url) as other:
                execute(other, order_id, SubmitOrder())
        return list(ORDER.decide(order, command))

    slow = Aggregate("order", Order, decide_while_somebody_submits, ORDER.evolve, ORDER.events)
    with pytest.raises(DomainError, match="the order is submitted"):
        handle(store, slow, order_id, AddItem("LATE", 1, 100, "me"), metadata())
    assert store.load(ORDER, order_id).state.status is Status.SUBMITTED


def test_a_race_that_is_always_lost_ends_with_the_actual_version(store: Store) -> None:
    order_id = uuid4()
    execute(store, order_id, PlaceOrder(USER, "EUR"))

    def decide_while_somebody_appends(order: Order, command: AddItem) -> list[Event]:
        execute(store, order_id, AddItem("OTHER", 1, 1, "other"))
        return list(ORDER.decide(order, command))

    unlucky = Aggregate("order", Order, decide_while_somebody_appends, ORDER.evolve, ORDER.events)
    with pytest.raises(ConcurrencyError) as caught:
        handle(store, unlucky, order_id, AddItem("MINE", 1, 1, "me"), metadata())
    assert caught.value.actual == store.version(order_id) == caught.value.expected + 1
    assert "MINE" not in store.load(ORDER, order_id).state.lines


def test_an_event_of_newer_code_is_not_guessed_at(store: Store) -> None:
    order_id = uuid4()
    store.append(ORDER, order_id, 0, [PLACED], metadata())
    older = Aggregate("order", Order, ORDER.decide, ORDER.evolve, (OrderDelivered,))
    with pytest.raises(UnreadableEvent, match="written as OrderPlaced in schema version 1, cannot be read"):
        store.load(older, order_id)


def test_an_impossible_address_fails_in_seconds_with_the_reason() -> None:
    with pytest.raises(
        ServiceUnavailable, match=r"PostgreSQL at postgresql:///x\?user=me&host=127.0.0.1&port=1 cannot be used"
    ):
        connect("postgresql://me:secret@127.0.0.1:1/x")


def test_inside_a_transaction_of_the_caller(store: Store, database_url: str) -> None:
    order_id = uuid4()
    store.append(ORDER, order_id, 0, [PLACED], metadata())
    with Store.open(database_url) as other, store.connection.transaction():
        store.connection.execute("SELECT count(*) FROM event_store")
        other.append(ORDER, order_id, 1, [ADDED], metadata())
        with pytest.raises(ConcurrencyError) as caught:
            store.append(ORDER, order_id, 1, [ADDED], metadata())
        assert caught.value.actual == 2
        repeated = metadata()
        store.append(ORDER, order_id, 2, [ADDED], repeated)
        with pytest.raises(DuplicateEvent):
            store.append(ORDER, order_id, 3, [ADDED], repeated)
        store.append(ORDER, order_id, 3, [ADDED], metadata())
    assert store.version(order_id) == 4


def test_a_race_that_ends_while_both_write(store: Store, database_url: str) -> None:
    order_id, began = uuid4(), threading.Event()
    store.append(ORDER, order_id, 0, [PLACED], metadata())
    lost: list[ConcurrencyError] = []

    def lose() -> None:
        with Store.open(database_url) as other, other.connection.transaction():
            other.connection.execute("SELECT 1")
            began.set()
            try:
                other.append(ORDER, order_id, 1, [ADDED], metadata())
            except ConcurrencyError as error:
                lost.append(error)

    loser = threading.Thread(target=lose)
    with store.connection.transaction():
        store.append(ORDER, order_id, 1, [ADDED], metadata())
        loser.start()
        began.wait(10)
        time.sleep(0.2)  # by now it waits for this transaction
    loser.join(10)
    assert [error.actual for error in lost] == [2]


@pytest.mark.parametrize("not_an_id", ["nope", "5a0c7a2e-6f0f-4d0b-8d8e-0d5c1f4a9b11", None, 5])
def test_an_id_that_is_no_uuid_is_refused(store: Store, not_an_id: object) -> None:
    with pytest.raises(InvalidEvent, match="the id of order is not a UUID"):
        store.append(ORDER, not_an_id, 0, [PLACED], metadata())  # type: ignore[arg-type]


def test_a_repeated_command_that_now_asks_for_what_already_is(store: Store) -> None:
    order_id, change = uuid4(), metadata()
    execute(store, order_id, PlaceOrder(USER, "EUR"))
    first = handle(store, ORDER, order_id, SetShippingCost(490), change)
    again = handle(store, ORDER, order_id, SetShippingCost(490), change)
    other = handle(store, ORDER, order_id, SetShippingCost(490), metadata())
    assert (again.events, again.version, again.repeated) == (first.events, 2, True)
    assert (other.events, other.version, other.repeated) == ((), 2, False)


def test_commands_of_one_append_are_told_apart(store: Store) -> None:
    order_id, place, add = uuid4(), metadata(), metadata()
    store.append(ORDER, order_id, 0, [PLACED, ADDED, ADDED], [place, add, add])
    assert [one.event for one in store.executed(ORDER, order_id, place.command_id)] == [PLACED]
    assert [one.version for one in store.executed(ORDER, order_id, add.command_id)] == [2, 3]
    assert handle(store, ORDER, order_id, AddItem("A", 1, 100, "me"), add).repeated
