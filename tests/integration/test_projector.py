"""The projector: from Kafka to the read model, on a real PostgreSQL and a real Kafka."""

from __future__ import annotations

import json
import random
import re
import signal
import string
import subprocess
import sys
import threading
import time
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import sql

from eventlib.errors import ProjectionError, TableNotReady, TopicError
from eventlib.events import Event, Recorded
from eventlib.orders import ORDER
from eventlib.orders import events as e
from eventlib.orders.order import Order, evolve
from eventlib.orders.projections import ORDER_PROJECTIONS, ORDER_TRACKING, PROJECTIONS
from eventlib.outbox.relay import Relay
from eventlib.pipeline.backlog import backlog
from eventlib.projection import Projection
from eventlib.projections.applying import apply_events
from eventlib.projections.parking import Poison, Replayed, park, parked, replay_parked
from eventlib.projections.projector import Projector
from eventlib.projections.projectors import run_projectors
from eventlib.projections.rebuild import rebuild
from eventlib.projections.rebuild.catching_up import Logged
from eventlib.projections.reconcile import reconcile, verify
from eventlib.projections.rows import write_rows
from eventlib.projections.staleness import staleness
from eventlib.projections.tables import pause
from eventlib.stopping import Stop
from eventlib.store.connection import Connection, connect
from eventlib.store.event_store import Store
from eventlib.store.log_identity import log_id
from eventlib.store.scan import partitions
from eventlib.store.scratch_database import scratch_database
from eventlib.streaming.clients import KafkaAddress, reach
from eventlib.streaming.topics import TopicWatch, group_members
from tests.conftest import TOPIC_PARTITIONS, delete_topics
from tests.messages import TOPIC, messages_of, versions_of
from tests.orders import CART, USER, execute, metadata
from tests.processes import eventlib
from tests.running import running
from tests.waiting import wait_for

OrderProjector = Projector[Order]


@pytest.fixture
def projector(store: Store, kafka: KafkaAddress) -> OrderProjector:
    return Projector(store.connection, kafka, TOPIC_PARTITIONS, ORDER_PROJECTIONS)


def published(store: Store, relay: Relay, number: int = 1) -> list[UUID]:
    """The ids of so many new orders whose events are in the topic."""
    orders = [uuid4() for _ in range(number)]
    for order_id in orders:
        execute(store, order_id, *CART)
    relay.publish_batch()
    return orders


def project_all(store: Store, kafka: KafkaAddress, projector: OrderProjector) -> None:
    """Let the projector run until it has applied the whole topic."""
    admin = reach(kafka)
    with connect(store.connection.info.dsn) as looker, running(projector):
        for _ in range(300):
            if backlog(looker, admin, [ORDER_PROJECTIONS]).unapplied == {"order_projections": 0}:
                return
            threading.Event().wait(0.1)
    raise AssertionError("the projector has not caught up within 30 s")


def test_the_read_model_equals_the_fold(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector
) -> None:
    published(store, relay, 10)
    project_all(store, kafka, projector)
    result = verify(store, ORDER_PROJECTIONS)
    assert (result.aggregates, result.equal, result.behind) == (10, 10, 0)
    assert not (result.missing or result.differing or result.orphans)
    row = store.connection.execute("SELECT status, total_cents, item_count, last_event_version FROM order_projections")
    assert set(row.fetchall()) == {("submitted", 2 * 1499 + 490, 2, len(CART))}


def test_duplicates_and_any_batching_change_nothing(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector
) -> None:
    published(store, relay, 5)
    messages = messages_of(kafka)
    for start in range(0, len(messages), 3):
        projector.apply(messages[start : start + 3])
        projector.apply(messages[: start + 3])
    rows = store.connection.execute("SELECT * FROM order_projections ORDER BY order_id").fetchall()
    projector.apply(messages)
    assert store.connection.execute("SELECT * FROM order_projections ORDER BY order_id").fetchall() == rows
    assert verify(store, ORDER_PROJECTIONS).equal == 5


def test_a_gap_is_read_from_the_log(store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector) -> None:
    (order_id,) = published(store, relay)
    messages = messages_of(kafka)
    projector.apply([messages[1]])
    assert reconcile(store, ORDER_PROJECTIONS, order_id).projected_version == 2
    projector.apply([messages[5]])
    compared = reconcile(store, ORDER_PROJECTIONS, order_id)
    assert compared.projected_version == 6 and not compared.differing


def test_rows_and_offsets_commit_together(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(store, relay)

    def fail(*_: object) -> None:
        raise RuntimeError("killed here")

    monkeypatch.setattr("eventlib.projections.topic_reader.record_offsets", fail)
    with pytest.raises(RuntimeError, match="killed here"):
        projector.apply(messages_of(kafka))
    tables = "SELECT (SELECT count(*) FROM order_projections), (SELECT count(*) FROM projection_offsets)"
    assert store.connection.execute(tables).fetchall() == [(0, 0)]
    monkeypatch.undo()
    project_all(store, kafka, projector)
    assert verify(store, ORDER_PROJECTIONS).equal == 1


def test_a_projector_that_was_overtaken_cannot_undo_newer_rows(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector
) -> None:
    (order_id,) = published(store, relay)
    messages = messages_of(kafka)
    projector.apply(messages)
    newest = store.connection.execute("SELECT * FROM order_projections").fetchall()
    offsets = store.connection.execute("SELECT * FROM projection_offsets").fetchall()
    state = ORDER.fold(recorded.event for recorded in store.read(ORDER, order_id, until=2))
    stale = ORDER_PROJECTIONS.row(order_id, state, 2)
    write_rows(store.connection, ORDER_PROJECTIONS, [stale])
    projector.apply(messages[:2])
    assert store.connection.execute("SELECT * FROM order_projections").fetchall() == newest
    assert store.connection.execute("SELECT * FROM projection_offsets").fetchall() == offsets


def test_a_topic_made_anew_is_read_from_its_beginning(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector, database_url: str
) -> None:
    first, second = uuid4(), uuid4()
    execute(store, first, *CART)
    relay.publish_batch()
    relay.close()
    project_all(store, kafka, projector)
    delete_topics(kafka)
    execute(store, second, *CART)
    with connect(database_url) as connection:
        Relay(connection, kafka, TOPIC_PARTITIONS).publish_batch()
    project_all(store, kafka, Projector(store.connection, kafka, TOPIC_PARTITIONS, ORDER_PROJECTIONS))
    assert verify(store, ORDER_PROJECTIONS).equal == 2


@pytest.mark.parametrize("watch_s", [0.1, 1e9], ids=["by looking", "when another joins"])
def test_a_topic_made_anew_under_a_projector_is_read_from_its_beginning(
    store: Store, kafka: KafkaAddress, database_url: str, monkeypatch: pytest.MonkeyPatch, watch_s: float
) -> None:
    monkeypatch.setattr("eventlib.streaming.topics.WATCH_S", watch_s)

    def publish(orders: int) -> None:
        with connect(database_url) as connection:
            relay = Relay(connection, kafka, TOPIC_PARTITIONS)
            published(store, relay, orders)
            relay.close()

    def equal(orders: int) -> bool:
        result = verify(store, ORDER_PROJECTIONS)
        return (result.equal, result.behind) == (orders, 0)

    def projecting(connection: Connection) -> AbstractContextManager[None]:
        return running(Projector(connection, kafka, TOPIC_PARTITIONS, ORDER_PROJECTIONS))

    with connect(database_url) as first, connect(database_url) as second, projecting(first):
        publish(3)
        wait_for(lambda: equal(3))
        delete_topics(kafka)
        publish(40)
        if watch_s < 1:
            wait_for(lambda: equal(43))
        with projecting(second):
            wait_for(lambda: group_members(reach(kafka), ["order_projections"])["order_projections"] == 2)
            publish(20)
            wait_for(lambda: equal(63))


def test_nobody_waits_for_a_broker_that_does_not_say_which_topic_it_has() -> None:
    watch = TopicWatch(AdminClient({"bootstrap.servers": "127.0.0.1:1", "log_level": 0}), TOPIC)
    began = time.monotonic()
    assert (watch.answer(), watch.answer()) == (None, None) and time.monotonic() - began < 1


@pytest.mark.parametrize(
    ("key", "value", "headers", "reason"),
    [
        (b"not-a-uuid", b"{}", {"ce_aggregateversion": b"1"}, "badly formed hexadecimal UUID string"),
        (uuid4().bytes, b"{}", {"ce_aggregateversion": b"1"}, "is not an event of eventlib"),
        (str(uuid4()).encode(), b"{}", {}, "the header 'ce_aggregateversion' is missing"),
        (str(uuid4()).encode(), None, {"ce_aggregateversion": b"1"}, "no key or no value"),
        (str(uuid4()).encode(), b"{}", {"ce_aggregateversion": b"1"}, "the header 'ce_id' is missing"),
        (str(uuid4()).encode(), b"[", "all", "OrderPlaced .* cannot be read"),
        (str(uuid4()).encode(), b"{}", "NUL", "OrderPlaced"),
    ],
    ids=["no id", "foreign bytes", "no version", "no value", "no event id", "no JSON", "NUL"],
)
def test_a_strange_message_is_recorded_with_its_place_and_stops_nobody(
    store: Store,
    relay: Relay,
    kafka: KafkaAddress,
    projector: OrderProjector,
    key: bytes,
    value: bytes | None,
    headers: dict[str, bytes] | str,
    reason: str,
) -> None:
    source = f"urn:uuid:{log_id(store.connection)}".encode()
    whole = {
        "ce_source": source,
        "ce_aggregateversion": b"1",
        "ce_id": str(uuid4()).encode(),
        "ce_position": b"1",
        "ce_schemaversion": b"1",
    }
    whole |= {"ce_time": b"2026-01-01T00:00:00Z", "ce_type": b"OrderPlaced", "metadata": b"{}"}
    given = whole if isinstance(headers, str) else {"ce_source": source, **headers}
    if headers == "NUL":
        given["ce_type"] = b"Order\0Placed"
    stranger = Producer(kafka.configuration())
    stranger.produce(TOPIC, value, key, headers=list(given.items()))
    stranger.flush()
    published(store, relay)
    projector.apply(messages_of(kafka))
    assert verify(store, ORDER_PROJECTIONS).equal == 1
    recorded = "SELECT error, '' FROM unreadable_messages UNION ALL SELECT error, place FROM dead_events"
    ((error, place),) = store.connection.execute(recorded).fetchall()
    assert re.search(rf"order.events\[\d\] at offset 0.*{reason}", f"{place} {error}")


def test_events_of_another_log_are_refused(
    store: Store, kafka: KafkaAddress, projector: OrderProjector, server_url: str
) -> None:
    with scratch_database(server_url, 1) as other_url, Store.open(other_url) as other:
        execute(other, uuid4(), *CART)
        Relay(other.connection, kafka, TOPIC_PARTITIONS).publish_batch()
    with pytest.raises(TopicError, match=r"at offset 0 has an event of urn:uuid:.*two logs must not share a Kafka"):
        projector.apply(messages_of(kafka))
    assert store.connection.execute("SELECT count(*) FROM order_projections").fetchall() == [(0,)]


def test_a_poison_event_parks_its_aggregate_until_the_fold_is_mended(
    store: Store, relay: Relay, kafka: KafkaAddress
) -> None:
    def fold(order: Order, recorded: Recorded[Any]) -> Order:
        if recorded.aggregate_id == poisoned and recorded.version == 3:
            raise KeyError("sku")
        return evolve(order, recorded.event)

    poisoned, healthy = uuid4(), uuid4()
    for order_id in (poisoned, healthy):
        execute(store, order_id, *CART[:5])
    relay.publish_batch()
    broken = replace(ORDER_PROJECTIONS, fold=fold, evolve=None)
    projector = Projector(store.connection, kafka, TOPIC_PARTITIONS, broken)
    projector.apply(messages_of(kafka))
    (dead,) = parked(store.connection)
    assert (dead.aggregate_id, dead.version, dead.attempts) == (poisoned, 3, 1) and "KeyError('sku')" in dead.error
    assert reconcile(store, ORDER_PROJECTIONS, poisoned).projected_version == 2
    assert reconcile(store, ORDER_PROJECTIONS, healthy).projected_version == 5
    for order_id in (poisoned, healthy):
        execute(store, order_id, *CART[5:])
    relay.publish_batch()
    projector.apply(messages_of(kafka))
    assert reconcile(store, ORDER_PROJECTIONS, poisoned).projected_version == 2
    assert reconcile(store, ORDER_PROJECTIONS, healthy).projected_version == 6
    (again,) = replay_parked(store, broken)
    assert again.version == 2 and "version 3 cannot be folded" in str(again.error)
    assert [one.attempts for one in parked(store.connection)] == [2]
    assert list(replay_parked(store, ORDER_PROJECTIONS)) == [Replayed(poisoned, 6, None)]
    assert parked(store.connection) == [] and verify(store, ORDER_PROJECTIONS).equal == 2


def test_a_row_that_the_table_refuses_parks_its_aggregate_and_no_other(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector
) -> None:
    orders = [uuid4() for _ in range(5)]
    for order_id in orders:
        execute(store, order_id, *CART)
    store.connection.execute(
        sql.SQL("ALTER TABLE order_projections ADD CHECK (order_id <> {})").format(sql.Literal(orders[2]))
    )
    relay.publish_batch()
    projector.apply(messages_of(kafka))
    assert [(one.aggregate_id, one.version) for one in parked(store.connection)] == [(orders[2], 1)]
    result = verify(store, ORDER_PROJECTIONS)
    assert (result.equal, result.missing) == (4, [orders[2]])


def test_a_state_that_cannot_be_read_parks_its_aggregate_and_no_other(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector
) -> None:
    damaged, healthy = uuid4(), uuid4()
    for order_id in (damaged, healthy):
        execute(store, order_id, *CART[:3])
    relay.publish_batch()
    projector.apply(messages_of(kafka))
    store.connection.execute("UPDATE order_projections SET snapshot = '{\"status\": 5}' WHERE order_id = %s", [damaged])
    for order_id in (damaged, healthy):
        execute(store, order_id, *CART[3:])
    relay.publish_batch()
    projector.apply(messages_of(kafka))
    (dead,) = parked(store.connection)
    assert (dead.aggregate_id, dead.version) == (damaged, 4) and "run `eventlib projections rebuild" in dead.error
    assert reconcile(store, ORDER_PROJECTIONS, healthy).projected_version == len(CART)
    (again,) = replay_parked(store, ORDER_PROJECTIONS)
    assert again.version == 3 and "cannot be read" in str(again.error) and len(parked(store.connection)) == 1
    projector.apply(messages_of(kafka))


def test_a_row_too_large_for_an_index_parks_its_aggregate_and_no_other(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector
) -> None:
    large, small = uuid4(), uuid4()
    store.connection.execute("CREATE INDEX ON order_projections ((snapshot ->> 'currency'))")
    for order_id in (large, small):
        execute(store, order_id, *CART)
    relay.publish_batch()
    noise = "".join(random.choices(string.printable, k=9_000))
    oversized = replace(
        ORDER_PROJECTIONS,
        evolve=lambda order, event: msgspec.structs.replace(evolve(order, event), currency=noise),
        row=lambda one, order, version: ORDER_PROJECTIONS.row_of(
            one, order if one == large else msgspec.structs.replace(order, currency="EUR"), version
        ),
    )
    Projector(store.connection, kafka, TOPIC_PARTITIONS, oversized).apply(messages_of(kafka))
    (dead,) = parked(store.connection)
    assert dead.aggregate_id == large and "the table refuses its row: index row" in dead.error
    (again,) = replay_parked(store, oversized)
    assert "index row" in str(again.error) and reconcile(store, ORDER_PROJECTIONS, small).projected_version == len(CART)


def test_a_hole_in_the_log_parks_its_aggregate_and_no_other(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector
) -> None:
    broken, healthy = published(store, relay, 2)
    for table in ("event_store", *partitions(store.connection)):
        store.connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER ALL").format(sql.Identifier(table)))
    store.connection.execute("DELETE FROM event_store WHERE aggregate_id = %s AND version = 5", [broken])
    messages = [one for one in messages_of(kafka) if versions_of([one]) != {str(broken): [5]}]
    projector.apply(messages)
    (dead,) = parked(store.connection)
    assert (dead.aggregate_id, dead.version) == (broken, 5) and "the log has no version 5" in dead.error
    assert reconcile(store, ORDER_PROJECTIONS, healthy).projected_version == len(CART)


def test_what_is_not_parked_is_not_replayed(
    store: Store, relay: Relay, projector: OrderProjector, kafka: KafkaAddress, eventlib_environment: dict[str, str]
) -> None:
    parked_one, other = published(store, relay, 2)
    park(store.connection, "order_projections", [Poison(parked_one, 1, "here", "a test")])
    said = eventlib(eventlib_environment, "projections", "replay", "order_projections", str(other))
    assert (said.returncode, said.stdout) == (1, f"{other} is not parked: nothing was done\n")
    said = eventlib(eventlib_environment, "projections", "replay", "order_projections", str(parked_one))
    assert (said.returncode, said.stdout) == (0, f"{parked_one} is at version {len(CART)}\n")
    assert eventlib(eventlib_environment, "projections", "replay", "order_projections").returncode == 0


def test_a_replay_writes_nothing_into_a_table_of_another_version(store: Store, relay: Relay) -> None:
    (order_id,) = published(store, relay)
    park(store.connection, "order_projections", [Poison(order_id, 1, "here", "a test")])
    with pytest.raises(TableNotReady, match="made by version 1 of it, and this is version 2"):
        list(replay_parked(store, replace(ORDER_PROJECTIONS, version=2)))
    assert len(parked(store.connection)) == 1 and verify(store, ORDER_PROJECTIONS).missing == [order_id]


def test_a_replay_that_a_cut_over_has_overtaken_claims_nothing(store: Store, relay: Relay, database_url: str) -> None:
    first, second = published(store, relay, 2)
    for order_id in (first, second):
        park(store.connection, "order_projections", [Poison(order_id, 1, "here", "a test")])
    replayed = replay_parked(store, ORDER_PROJECTIONS)
    assert next(replayed).version == len(CART)
    rebuild(database_url, ORDER_PROJECTIONS, processes=1)
    (rest,) = replayed
    assert (rest.version, rest.error, parked(store.connection, "order_projections")) == (None, None, [])


def test_whoever_catches_up_waits_for_a_projector_that_skips(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector, database_url: str
) -> None:
    (order_id,) = published(store, relay)
    park(store.connection, "order_projections", [Poison(order_id, 1, "here", "a test")])
    with Store.open(database_url) as other, connect(database_url) as looker:
        thread = threading.Thread(target=lambda: list(replay_parked(other, ORDER_PROJECTIONS)))
        with store.connection.transaction():
            projector.apply(messages_of(kafka))  # skips the order, in a transaction that is still open
            thread.start()
            waits = (
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            wait_for(lambda: looker.execute(waits).fetchall() == [(1,)])
        thread.join(20)
    assert verify(store, ORDER_PROJECTIONS).equal == 1


STOPS = """
import os, signal, sys, time
from eventlib.cli import main
from eventlib.projections import topic_reader
from eventlib.store import connection

connection.IDLE_IN_TRANSACTION_S = 0.5
record_offsets = topic_reader.record_offsets

def record_and_stop(*given):
    recorded = record_offsets(*given)
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(0.2)  # the signal may reach another thread first
    return recorded

topic_reader.record_offsets = record_and_stop
sys.argv = ["eventlib", "run", "projector", "order_projections"]
main()
"""
"""A projector that suspends itself in the transaction that has written rows and offsets."""


def test_a_projector_that_is_suspended_in_its_transaction_lets_go_of_its_rows(
    store: Store, relay: Relay, projector: OrderProjector, kafka: KafkaAddress, eventlib_environment: dict[str, str]
) -> None:
    published(store, relay)
    command = [sys.executable, "-c", STOPS]
    suspended = subprocess.Popen(command, env=eventlib_environment, stderr=subprocess.PIPE, text=True)
    try:
        status = Path(f"/proc/{suspended.pid}/status")
        wait_for(lambda: "T (stopped)" in status.read_text())
        projector.apply(messages_of(kafka))
        assert verify(store, ORDER_PROJECTIONS).equal == 1
        suspended.send_signal(signal.SIGCONT)
        _, said = suspended.communicate(timeout=20)
    finally:
        suspended.kill()
        suspended.wait()
    assert suspended.returncode == 1 and "the database has ended this session" in said


def test_a_projector_outlasts_a_lock_of_somebody_elses(
    store: Store,
    relay: Relay,
    kafka: KafkaAddress,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("eventlib.store.connection.LOCK_WAIT_S", 0.05)
    published(store, relay)
    with connect(database_url) as mine, connect(database_url) as other:
        with other.transaction():
            other.execute("LOCK TABLE order_projections")
            projector = Projector(mine, kafka, TOPIC_PARTITIONS, ORDER_PROJECTIONS)
            worker = threading.Thread(target=projector.run, args=(stop := Stop(),))
            worker.start()
            wait_for(lambda: "order_projections waits for a lock of somebody else's" in caplog.text)
        wait_for(lambda: verify(store, ORDER_PROJECTIONS).equal == 1)
        stop.set()
        worker.join(20)
        assert not worker.is_alive()


def test_a_paused_projection_rests_and_goes_on_where_it_was(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector, database_url: str
) -> None:
    with Store.open(database_url) as writer:
        pause(writer.connection, ORDER_PROJECTIONS, paused=True)
        with running(projector):
            execute(writer, uuid4(), *CART)
            relay.publish_batch()
            threading.Event().wait(1.5)
            assert verify(writer, ORDER_PROJECTIONS).equal == 0
            pause(writer.connection, ORDER_PROJECTIONS, paused=False)
            wait_for(lambda: verify(writer, ORDER_PROJECTIONS).equal == 1)


def test_a_table_of_another_version_is_left_alone(store: Store, kafka: KafkaAddress) -> None:
    newer = replace(ORDER_PROJECTIONS, version=2)
    with pytest.raises(
        ProjectionError, match="made by version 1 of it, and this is version 2: run `eventlib projections"
    ):
        Projector(store.connection, kafka, TOPIC_PARTITIONS, newer).run(Stop())


def test_a_cut_over_to_another_version_stops_its_own_projection_and_no_other(
    store: Store, relay: Relay, kafka: KafkaAddress, database_url: str
) -> None:
    stop = Stop()
    both = [ORDER_PROJECTIONS, ORDER_TRACKING]
    worker = threading.Thread(target=run_projectors, args=(database_url, kafka, TOPIC_PARTITIONS, both, stop))
    worker.start()
    try:
        published(store, relay)
        wait_for(lambda: [verify(store, one).equal for one in both] == [1, 1])
        rebuild(database_url, replace(ORDER_PROJECTIONS, version=2), processes=1)
        published(store, relay)
        wait_for(lambda: verify(store, ORDER_TRACKING).equal == 2)
        threading.Event().wait(1.5)  # by then the projector of the old version has looked
        assert worker.is_alive() and verify(store, ORDER_PROJECTIONS).equal == 1
        rebuild(database_url, ORDER_PROJECTIONS, processes=1)
        published(store, relay)
        wait_for(lambda: [verify(store, one).equal for one in both] == [3, 3])
    finally:
        stop.set()
        worker.join(20)


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
def test_every_read_model_is_what_its_fold_says(
    store: Store, relay: Relay, kafka: KafkaAddress, projection: Projection[Any]
) -> None:
    for number in range(1, len(CART) + 1):
        execute(store, uuid4(), *CART[:number])
    relay.publish_batch()
    Projector(store.connection, kafka, TOPIC_PARTITIONS, projection).apply(messages_of(kafka))
    result = verify(store, projection)
    assert (result.aggregates, result.equal, result.behind, result.orphans) == (len(CART), len(CART), 0, [])


# Names of different lengths, in an order that jsonb would change.
NAMES = st.sampled_from(["WIDGET-42", "LAMP-7", "A", "ZZ"])
EVENTS = st.one_of(
    st.sampled_from(ORDER.examples),
    st.builds(e.OrderItemAdded, NAMES, st.integers(1, 3), st.integers(0, 10_000), st.just("me")),
    st.builds(e.OrderItemRemoved, NAMES, st.just("me")),
    st.builds(e.PaymentAuthorized, NAMES, st.just("visa"), st.integers(1, 10_000)),
)


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(EVENTS, min_size=5, max_size=15))
@example(
    history=[e.OrderItemAdded("WIDGET-42", 1, 1, "me"), e.OrderItemAdded("LAMP-7", 1, 1, "me"), e.OrderSubmitted(2)]
)
def test_events_that_come_one_by_one_make_the_row_that_the_log_says(
    store: Store, projection: Projection[Any], history: list[Event]
) -> None:
    # Whatever is in the log: decide has not made these, and evolve takes any event in any state.
    order_id = uuid4()
    store.append(ORDER, order_id, 0, history, metadata())
    for stored in store.read_stored(ORDER, order_id):
        with store.connection.transaction():
            apply_events(store, projection, [Logged(stored)])
    compared = reconcile(store, projection, order_id)
    assert compared.projected_version == len(history) and not compared.differing


def test_the_verification_leaves_no_id_out(store: Store, database_url: str) -> None:
    for order_id in (UUID(int=0), UUID(int=2**128 - 1)):
        execute(store, order_id, *CART)
    rebuild(database_url, ORDER_PROJECTIONS, processes=1)
    store.connection.execute("UPDATE order_projections SET status = 'paid'")
    assert {row.aggregate_id for row in verify(store, ORDER_PROJECTIONS).differing} == {
        UUID(int=0),
        UUID(int=2**128 - 1),
    }


def test_events_of_a_database_that_was_set_back_are_refused(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector
) -> None:
    (order_id,) = published(store, relay)
    messages = messages_of(kafka)
    store.connection.execute("DROP TABLE event_store CASCADE")
    store.connection.execute("CREATE TABLE event_store (LIKE outbox)")
    with pytest.raises(
        ProjectionError, match=f"version 3 of {order_id}.*the database was set back to an earlier state"
    ):
        projector.apply(messages[2:])


def test_every_read_says_how_stale_it_is(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector
) -> None:
    order_id = uuid4()
    execute(store, order_id, *CART[:4])
    relay.publish_batch()
    projector.apply(messages_of(kafka))
    assert staleness(store.connection, order_id, 4).behind_events == 0
    execute(store, order_id, *CART[4:])
    compared = reconcile(store, ORDER_PROJECTIONS, order_id)
    assert (compared.projected_version, compared.logged_version, compared.differing) == (4, 6, [])
    late = staleness(store.connection, order_id, 4)
    assert late.behind_events == 2 and late.waiting_s > 0


def test_verification_finds_what_was_tampered_with(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector
) -> None:
    changed, missing, orphan = uuid4(), uuid4(), uuid4()
    execute(store, changed, *CART)
    execute(store, missing, *CART)
    relay.publish_batch()
    projector.apply(messages_of(kafka))
    store.connection.execute("UPDATE order_projections SET total_cents = 1 WHERE order_id = %s", [changed])
    store.connection.execute("UPDATE order_projections SET order_id = %s WHERE order_id = %s", [orphan, missing])
    result = verify(store, ORDER_PROJECTIONS)
    assert result.missing == [missing] and result.orphans == [orphan] and result.equal == 0
    (difference,) = result.differing
    assert [(one.name, one.folded, one.projected) for one in difference.differing] == [("total_cents", 3488, 1)]


def test_a_verification_names_what_it_cannot_compare_and_goes_on(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector, eventlib_environment: dict[str, str]
) -> None:
    good, unreadable, holed, later = published(store, relay, 4)
    messages = messages_of(kafka)
    projector.apply([one for one in messages if str(later) not in versions_of([one])])
    projector.apply([one for one in messages if str(later) in versions_of([one])][:3])
    for table in ("event_store", *partitions(store.connection)):
        store.connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER ALL").format(sql.Identifier(table)))
    unheard = "UPDATE event_store SET event_type = 'Unheard' WHERE aggregate_id = ANY(%s) AND version = 5"
    store.connection.execute(unheard, [[unreadable, later]])
    store.connection.execute("DELETE FROM event_store WHERE aggregate_id = %s AND version = 2", [holed])
    result = verify(store, ORDER_PROJECTIONS)
    # What comes after the version that a row claims need not be readable.
    assert (result.aggregates, result.equal, result.behind, result.differing) == (4, 2, 1, [])
    assert "Unheard" in result.unreadable[unreadable] and "has no version 2" in result.unreadable[holed]
    said = eventlib(eventlib_environment, "projections", "verify", "--json")
    assert said.returncode == 1 and set(json.loads(said.stdout)["unreadable"]) == {str(unreadable), str(holed)}
    assert f"{holed} cannot be compared" in said.stderr
    assert reconcile(store, ORDER_PROJECTIONS, later).differing == [] and good not in result.unreadable


def test_the_backlog_is_what_is_left(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector, other_connection: Connection
) -> None:
    admin = reach(kafka)
    execute(store, uuid4(), *CART)
    waiting = backlog(other_connection, admin, [ORDER_PROJECTIONS])
    assert (waiting.unpublished, waiting.unapplied) == (6, {"order_projections": 0})
    relay.publish_batch()
    published = backlog(other_connection, admin, [ORDER_PROJECTIONS])
    assert (published.unpublished, published.unapplied) == (0, {"order_projections": 6})
    projector.apply(messages_of(kafka))
    assert backlog(other_connection, admin, [ORDER_PROJECTIONS]).left == 0


def test_json_of_the_snapshot_column_is_the_state(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector
) -> None:
    published(store, relay)
    projector.apply(messages_of(kafka))
    (snapshot,) = store.connection.execute("SELECT snapshot::text FROM order_projections").fetchall()[0]
    assert json.loads(snapshot)["lines"] == {"WIDGET-42": {"quantity": 2, "unit_price_cents": 1499}}
    assert UUID(json.loads(snapshot)["user_id"]) == USER
