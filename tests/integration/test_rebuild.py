"""Rebuilds: a new table beside the old one, equal to the log, in one moment in its place."""

from __future__ import annotations

import multiprocessing
import random
import signal
import threading
import time
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

import pytest

from eventlib.errors import ProjectionError
from eventlib.orders import ORDER
from eventlib.orders import events as e
from eventlib.orders.commands import AddItem
from eventlib.orders.order import Order
from eventlib.orders.projections import MY_ORDERS, ORDER_PROJECTIONS, PROJECTIONS, SUPPORT_ORDERS
from eventlib.orders.projections.my_orders import MyOrder
from eventlib.outbox.relay import Relay
from eventlib.projection import Projection
from eventlib.projections.projector import Projector, _TableChanged
from eventlib.projections.rebuild import discard, rebuild, rollback
from eventlib.projections.rebuild.build import begin, renamed
from eventlib.projections.rebuild.cut_over import cut_over
from eventlib.projections.rebuild.loading import load_part
from eventlib.projections.rebuild.rebuilding import place_of
from eventlib.projections.reconcile import verify
from eventlib.projections.rows import write_rows
from eventlib.projections.tables import Gate, check_table, pause, read_gate, table_of
from eventlib.store.connection import Connection, connect
from eventlib.store.event_store import Store
from eventlib.store.scan import partitions
from eventlib.streaming.clients import KafkaAddress
from tests.conftest import STORE_PARTITIONS, TOPIC_PARTITIONS
from tests.messages import messages_of
from tests.orders import CART, execute
from tests.processes import background, eventlib
from tests.rebuilt import holds, indexes, ordered
from tests.running import running
from tests.waiting import wait_for


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda one: one.name)
@pytest.mark.parametrize("processes", [1, 2])
def test_it_makes_what_the_log_says(
    store: Store, database_url: str, projection: Projection, processes: int, caplog: pytest.LogCaptureFixture
) -> None:
    orders = [*ordered(store, 5), UUID(int=0)]
    execute(store, orders[-1], *CART)
    before = indexes(store.connection, projection.name)
    wrong = projection.row_of(orders[0], projection.initial(), 1)
    stranger = projection.row_of(uuid4(), projection.initial(), 1)
    write_rows(store.connection, projection, [wrong, stranger])
    done = rebuild(database_url, projection, processes=processes)
    assert (done.rows, done.events, done.resumed, done.caught_up, done.parked) == (6, 6 * len(CART), 0, 0, 0)
    compared = done.comparison
    assert compared and (compared.added, compared.gone, compared.newer, compared.differing) == (5, 1, 1, 0)
    assert holds(store, projection, 6)
    assert indexes(store.connection, projection.name) == before
    again = rebuild(database_url, projection, processes=processes)
    assert again.comparison and again.comparison.equal == 6
    assert not caplog.messages  # in the quickest way that there is
    assert discard(store.connection, projection) and not discard(store.connection, projection)


def test_any_text_gets_into_the_table_as_it_is(store: Store, database_url: str) -> None:
    order_id = uuid4()
    skus = [
        "tab\tnew line\nreturn\rbackslash\\",
        "\\N",
        "\\.",
        "back\\nslash-n",
        "quote'\"",
        "\u00e4\u2028\U0001f69a",
        "\x7f",
    ]
    for sku in skus:
        first = [CART[0]] if sku == skus[0] else []
        execute(store, order_id, *first, AddItem(sku, 1, 100, "me"))
    for projection in (ORDER_PROJECTIONS, MY_ORDERS):
        rebuild(database_url, projection, processes=1)
        assert holds(store, projection, 1)
    headline = store.connection.execute("SELECT headline FROM my_orders").fetchall()[0][0]
    assert headline == f"{skus[0]} and 6 more"


def test_what_differs_is_named(store: Store, database_url: str) -> None:
    orders = ordered(store, 3)
    rebuild(database_url, ORDER_PROJECTIONS, processes=1)
    store.connection.execute("UPDATE order_projections SET total_cents = 1 WHERE order_id = %s", [orders[1]])
    compared = rebuild(database_url, ORDER_PROJECTIONS, processes=1).comparison
    assert compared and (compared.equal, compared.differing) == (2, 1)
    (difference,) = compared.differences
    assert (difference.aggregate_id, difference.columns) == (orders[1], {"total_cents": (1, 3488)})


def test_readers_see_the_old_rows_or_the_new_ones(store: Store, database_url: str) -> None:
    orders = ordered(store, 200)
    write_rows(store.connection, ORDER_PROJECTIONS, [ORDER_PROJECTIONS.row_of(orders[0], Order(currency="XXX"), 99)])
    seen: set[int] = set()
    done = threading.Event()

    def read() -> None:
        with connect(database_url) as reader:
            while not done.is_set():
                seen.update(reader.execute("SELECT count(*) FROM order_projections").fetchall()[0])

    reader = threading.Thread(target=read)
    reader.start()
    rebuild(database_url, ORDER_PROJECTIONS, processes=1)
    time.sleep(0.1)
    done.set()
    reader.join()
    assert seen == {1, 200}


@pytest.mark.parametrize("asked_before", [0, 10], ids=["not planned yet", "planned already"])
def test_who_waits_for_a_table_that_is_being_replaced_hears_only_of_the_other(
    store: Store, database_url: str, asked_before: int
) -> None:
    (order_id,) = ordered(store, 1)
    with connect(database_url) as one, connect(database_url) as other:
        write_rows(one, ORDER_PROJECTIONS, [ORDER_PROJECTIONS.row_of(order_id, Order(currency="EUR"), 1)])
        for _ in range(asked_before):
            read_gate(other, ORDER_PROJECTIONS, [order_id])
        found: list[Gate] = []
        asking = threading.Thread(target=lambda: found.append(read_gate(other, ORDER_PROJECTIONS, [order_id])))
        with one.transaction():
            one.execute("ALTER TABLE order_projections RENAME TO order_projections_old")
            one.execute("CREATE TABLE order_projections (LIKE order_projections_old INCLUDING INDEXES)")
            asking.start()
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
            wait_for(lambda: one.execute(waiting, [other.info.backend_pid]).fetchall() == [(1,)])
            write_rows(one, ORDER_PROJECTIONS, [ORDER_PROJECTIONS.row_of(order_id, Order(currency="USD"), 2)])
            one.execute("UPDATE projections SET generation = generation + 1 WHERE projection = 'order_projections'")
        asking.join()
    (gate,) = found
    version, state = gate.present[order_id]
    assert (gate.generation, version) == (2, 2) and "USD" in state


def test_a_projector_goes_on_meanwhile_and_afterwards(
    store: Store, relay: Relay, kafka: KafkaAddress, database_url: str
) -> None:
    ordered(store, 3)
    relay.publish_batch()
    with (
        connect(database_url) as connection,
        running(Projector(connection, kafka, TOPIC_PARTITIONS, ORDER_PROJECTIONS)),
    ):
        wait_for(lambda: holds(store, ORDER_PROJECTIONS, 3))
        rebuild(database_url, ORDER_PROJECTIONS, processes=1)
        ordered(store, 2)
        relay.publish_batch()
        wait_for(lambda: holds(store, ORDER_PROJECTIONS, 5))
        rollback(database_url, ORDER_PROJECTIONS)
        wait_for(lambda: holds(store, ORDER_PROJECTIONS, 5))
        ordered(store, 1)
        relay.publish_batch()
        wait_for(lambda: holds(store, ORDER_PROJECTIONS, 6))
    with pytest.raises(ProjectionError, match="no table of order_projections was kept"):
        rollback(database_url, ORDER_PROJECTIONS)


def test_a_rollback_brings_back_a_table_that_is_up_to_date_whatever_kafka_has(store: Store, database_url: str) -> None:
    # Nobody projects here: all that gets into the tables comes from the log.
    later = uuid4()
    execute(store, later, *CART[:3])
    ordered(store, 1)
    rebuild(database_url, ORDER_PROJECTIONS)
    execute(store, later, *CART[3:])
    ordered(store, 90)
    rollback(database_url, ORDER_PROJECTIONS)
    assert holds(store, ORDER_PROJECTIONS, 92)


def test_a_table_that_was_replaced_before_checkpoints_were_kept_is_brought_back_complete(
    store: Store, database_url: str
) -> None:
    ordered(store, 2)
    rebuild(database_url, ORDER_PROJECTIONS)
    store.connection.execute("UPDATE projection_predecessors SET checkpoint = NULL")
    store.connection.execute("TRUNCATE order_projections")
    rollback(database_url, ORDER_PROJECTIONS)
    assert holds(store, ORDER_PROJECTIONS, 2)


def test_messages_that_were_asked_for_before_a_rollback_are_not_counted_as_applied(
    store: Store, relay: Relay, kafka: KafkaAddress, database_url: str
) -> None:
    projector = Projector(store.connection, kafka, TOPIC_PARTITIONS, ORDER_PROJECTIONS)
    ordered(store, 2)
    relay.publish_batch()
    projector.apply(messages_of(kafka)[:5])
    projector._generation = 1
    rebuild(database_url, ORDER_PROJECTIONS, processes=1)
    before = store.connection.execute("SELECT * FROM projection_offsets").fetchall()
    with pytest.raises(_TableChanged):
        projector.apply(messages_of(kafka)[5:])
    assert store.connection.execute("SELECT * FROM projection_offsets").fetchall() == before


def test_what_is_written_meanwhile_is_caught_up_with(store: Store, database_url: str) -> None:
    ordered(store, 5)
    held = rebuild(database_url, MY_ORDERS, processes=1, hold=True)
    assert held.rows == 5 and verify(store, MY_ORDERS).missing and table_of(store.connection, MY_ORDERS)
    orders = ordered(store, 4)
    done = rebuild(database_url, MY_ORDERS, processes=1)
    assert (done.resumed, done.caught_up, done.events) == (STORE_PARTITIONS, 4 * len(CART), 5 * len(CART))
    assert holds(store, MY_ORDERS, 9) and orders
    # What was written, but by a transaction that commits late, is not lost either.
    with connect(database_url) as connection, connection.transaction():
        late = uuid4()
        execute(Store(connection), late, *CART[:2])
        rebuild(database_url, MY_ORDERS, processes=1, hold=True)
        execute(Store(connection), late, *CART[2:])
    assert rebuild(database_url, MY_ORDERS, processes=1).caught_up == len(CART)
    assert holds(store, MY_ORDERS, 10)


def test_a_fold_of_another_version_takes_over_in_one_moment(
    store: Store, relay: Relay, kafka: KafkaAddress, database_url: str
) -> None:
    ordered(store, 2)
    relay.publish_batch()
    old = Projector(store.connection, kafka, TOPIC_PARTITIONS, ORDER_PROJECTIONS)
    old.apply(messages_of(kafka))
    pause(store.connection, ORDER_PROJECTIONS, paused=True)
    changed = replace(
        ORDER_PROJECTIONS,
        version=2,
        definition=ORDER_PROJECTIONS.definition.replace("item_count         integer", "item_count bigint"),
    )
    rebuild(database_url, changed, processes=1)
    table = check_table(store.connection, changed)
    assert table.generation == 2 and table.paused_since is not None and holds(store, changed, 2)
    ordered(store, 1)
    relay.publish_batch()
    with pytest.raises(ProjectionError, match="was made by version 2 of it, and this is version 1"):
        old.apply(messages_of(kafka))
    Projector(store.connection, kafka, TOPIC_PARTITIONS, changed).apply(messages_of(kafka))
    assert holds(store, changed, 3)
    with pytest.raises(ProjectionError, match="is of version 1, and this is version 2: take the code of that version"):
        rollback(database_url, changed)
    rollback(database_url, ORDER_PROJECTIONS)
    assert check_table(store.connection, ORDER_PROJECTIONS).generation == 3


def test_two_rebuilds_of_one_projection_do_not_meet(store: Store, database_url: str) -> None:
    ordered(store, 2)
    seen: list[BaseException] = []

    def again(doing: str, done: int, of: int) -> None:
        if not seen:
            with pytest.raises(ProjectionError, match="another rebuild of my_orders is under way") as refused:
                rebuild(database_url, MY_ORDERS, processes=1)
            seen.append(refused.value)
            rebuild(database_url, SUPPORT_ORDERS, processes=1)  # of another one it does not mind

    rebuild(database_url, MY_ORDERS, processes=1, progress=again)
    assert seen and holds(store, MY_ORDERS, 2) and holds(store, SUPPORT_ORDERS, 2)


def test_a_partition_is_loaded_once_whoever_comes_second(store: Store, database_url: str) -> None:
    ordered(store, 20)
    build = begin(store.connection, MY_ORDERS, fresh=False)
    with connect(database_url) as reader, connect(database_url) as writer:
        for partition in partitions(store.connection) * 2:
            load_part(reader, writer, build.projection, partition, lambda events: None)
    assert store.connection.execute("SELECT count(*) FROM my_orders_new").fetchall() == [(20,)]
    assert rebuild(database_url, MY_ORDERS).resumed == STORE_PARTITIONS and holds(store, MY_ORDERS, 20)


def test_a_rebuild_of_another_version_or_a_fresh_one_begins_anew(store: Store, database_url: str) -> None:
    ordered(store, 2)
    rebuild(database_url, MY_ORDERS, processes=1, hold=True)
    assert rebuild(database_url, MY_ORDERS, processes=1, hold=True, fresh=True).resumed == 0
    assert rebuild(database_url, replace(MY_ORDERS, version=3), processes=1).resumed == 0
    assert check_table(store.connection, replace(MY_ORDERS, version=3))


@dataclass(frozen=True)
class _Changed:
    """What another declaration of a projection says."""

    what: str
    to: object


class Longer(MyOrder, frozen=True):
    note: str = ""


@pytest.mark.parametrize(
    "changed",
    [
        _Changed("definition", MY_ORDERS.definition + ";"),
        _Changed("sql_fold", "SELECT"),
        _Changed("initial", Longer),
        _Changed("row", MY_ORDERS.row_of),
        _Changed("events", (e.OrderPlaced,)),
        _Changed("aggregate", replace(ORDER, upcasters=ORDER.upcasters[:1])),
        _Changed("aggregate", replace(ORDER, state_version=99)),
    ],
    ids=lambda changed: changed.what,
)
def test_what_another_declaration_has_loaded_is_not_taken_over(
    store: Store, database_url: str, changed: _Changed
) -> None:
    rebuild(database_url, replace(MY_ORDERS, **{changed.what: changed.to}), processes=1, hold=True)
    assert rebuild(database_url, MY_ORDERS, processes=1, hold=True).resumed == 0
    assert rebuild(database_url, MY_ORDERS, processes=1, hold=True).resumed == STORE_PARTITIONS


def test_who_goes_on_with_an_earlier_run_is_told(
    store: Store, database_url: str, eventlib_environment: dict[str, str]
) -> None:
    ordered(store, 1)
    first = eventlib(eventlib_environment, "projections", "rebuild", "my_orders", "--hold")
    again = eventlib(eventlib_environment, "projections", "rebuild", "my_orders")
    assert (first.returncode, again.returncode) == (0, 0) and "--fresh" not in first.stdout
    assert f"{STORE_PARTITIONS} partitions of the log were folded by an earlier run" in again.stdout
    assert "--fresh" in again.stdout


def test_a_long_reader_delays_the_cut_over_and_nobody_else(
    store: Store, database_url: str, other_connection: Connection
) -> None:
    ordered(store, 1)
    build = begin(store.connection, MY_ORDERS, fresh=False)
    with connect(database_url) as reader, connect(database_url) as writer:
        for partition in partitions(store.connection):
            load_part(reader, writer, build.projection, partition, lambda events: None)
    store.connection.execute("ALTER TABLE my_orders_new ADD CONSTRAINT my_orders_new_pkey PRIMARY KEY (order_id)")
    other_connection.execute("BEGIN")
    other_connection.execute("SELECT count(*) FROM my_orders")
    waiting = threading.Thread(target=cut_over, args=(store, MY_ORDERS, build.checkpoint))
    waiting.start()
    with connect(database_url) as reader:
        for _ in range(3):  # whoever reads waits for 2 s at most: then the one that waits for the table steps back
            assert reader.execute("SELECT count(*) FROM my_orders").fetchall() == [(0,)]
            time.sleep(0.5)
    other_connection.execute("COMMIT")
    waiting.join(60)
    assert not waiting.is_alive() and holds(store, MY_ORDERS, 1)


def test_a_process_that_is_killed_while_it_loads_is_told_in_words(store: Store, database_url: str) -> None:
    ordered(store, 5)

    def kill(doing: str, done: int, of: int) -> None:
        for process in multiprocessing.active_children():
            process.kill()

    with pytest.raises(ProjectionError, match="a process that was loading my_orders_new has ended before its work"):
        rebuild(database_url, MY_ORDERS, processes=2, progress=kill)
    assert rebuild(database_url, MY_ORDERS, processes=2).parked == 0 and holds(store, MY_ORDERS, 5)


def test_a_projection_is_found_by_other_processes_by_its_name() -> None:
    assert place_of(renamed(MY_ORDERS, "_new")) == ("eventlib.orders.projections.my_orders", "MY_ORDERS")
    assert place_of(replace(MY_ORDERS, version=3)) is None


def test_killed_again_and_again_under_load_it_ends_equal_to_the_log(
    store: Store, database_url: str, eventlib_environment: dict[str, str]
) -> None:
    ordered(store, 400)
    stop = threading.Event()
    written: list[UUID] = []

    def write() -> None:
        with Store.open(database_url) as mine:
            while not stop.is_set():
                written.extend(ordered(mine, 1))

    writer = threading.Thread(target=write)
    writer.start()
    killed = 0
    try:
        with background(eventlib_environment, "run", "all"):
            for pause_s in (1.2, 1.6, 2.0):
                with background(eventlib_environment, "projections", "rebuild", "my_orders") as process:
                    time.sleep(pause_s + random.uniform(0, 0.3))
                    if process.poll() is None:
                        process.send_signal(signal.SIGKILL)
                        killed += 1
            done = eventlib(eventlib_environment, "projections", "rebuild", "my_orders")
            assert done.returncode == 0, done.stderr
            stop.set()
            writer.join()
            wait_for(lambda: holds(store, MY_ORDERS, 400 + len(written)))
    finally:
        stop.set()
        writer.join()
    assert killed >= 1
