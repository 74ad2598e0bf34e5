"""The projector: every event once, in order, with its offsets, whoever else is there."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from eventlib.errors import ProjectionError, TopicError
from eventlib.orders import ORDER
from eventlib.orders.projections import ORDER_PROJECTIONS, ORDER_TRACKING
from eventlib.outbox.relay import Relay
from eventlib.pipeline.backlog import backlog
from eventlib.projections.projector import Projector
from eventlib.projections.projectors import run_projectors
from eventlib.projections.rebuild import rebuild
from eventlib.projections.reconcile import reconcile, verify
from eventlib.projections.rows import write_rows
from eventlib.projections.staleness import staleness
from eventlib.projections.tables import pause
from eventlib.stopping import Stop
from eventlib.store.connection import Connection, connect
from eventlib.store.event_store import Store
from eventlib.store.log_identity import log_id
from eventlib.store.scratch_database import scratch_database
from eventlib.streaming.clients import KafkaAddress, reach
from eventlib.streaming.topics import TopicWatch, group_members
from tests.conftest import TOPIC_PARTITIONS, delete_topics
from tests.messages import TOPIC, messages_of
from tests.orders import CART, execute
from tests.projecting import OrderProjector, project_all, published
from tests.running import running
from tests.waiting import wait_for


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
    assert (watch.answer(), watch.answer()) == (None, None)
    # It has come back without waiting for what it has asked.
    assert watch._asked is not None and not watch._asked.done()


@pytest.mark.parametrize(
    ("key", "value", "headers", "reason"),
    [
        (b"not-a-uuid", b"{}", {"ce_aggregateversion": b"1"}, "Invalid UUID"),
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
