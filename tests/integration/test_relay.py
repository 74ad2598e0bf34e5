"""The relay: from the outbox to Kafka, on a real PostgreSQL and a real Kafka."""

from __future__ import annotations

import signal
import threading
from collections import defaultdict
from uuid import UUID, uuid4

import psutil
import psycopg
import pytest
from confluent_kafka.admin import ConfigResource, ResourceType

from eventlib.embedded.kafka import EmbeddedKafka
from eventlib.orders.projections import ORDER_PROJECTIONS
from eventlib.outbox.leases import SHARDS
from eventlib.outbox.relay import Relay
from eventlib.outbox.sender import Sender
from eventlib.outbox.unpublished import Unpublished
from eventlib.projections.projector import Projector
from eventlib.projections.reconcile import verify
from eventlib.stopping import Stop
from eventlib.store.connection import Connection, connect
from eventlib.store.event_store import Store
from eventlib.store.log_identity import log_id
from eventlib.streaming.clients import KafkaAddress, reach
from eventlib.streaming.topics import ensure_topic, topic_of
from tests.conftest import TOPIC_PARTITIONS, delete_topics
from tests.messages import messages_of, versions_of
from tests.orders import CART, execute
from tests.processes import background
from tests.running import running
from tests.waiting import wait_for

SHORT_LEASE_S = 1.0


BASKET = """
    INSERT INTO outbox (event_id, aggregate_id, aggregate_type, event_type, event_data, metadata, version, schema_version,
                        position, created_at)
    VALUES (gen_random_uuid(), %s, 'basket', 'BasketFilled', '{}', '{}', 1, 1, 1, now())"""


def unpublished(store: Store) -> int:
    return int(store.connection.execute("SELECT count(*) FROM outbox").fetchall()[0][0])


def owners(store: Store) -> dict[UUID, int]:
    """How many shards each relay owns at this moment."""
    owned = "SELECT owner, count(*) FROM relay_shards WHERE expires_at > clock_timestamp() GROUP BY owner"
    return dict(store.connection.execute(owned).fetchall())


def test_a_message_is_the_stored_event_with_cloudevents_headers(
    store: Store, relay: Relay, kafka: KafkaAddress
) -> None:
    order_id = uuid4()
    execute(store, order_id, *CART)
    assert relay.publish_batch() == len(CART)
    assert unpublished(store) == 0
    messages = messages_of(kafka)
    stored = store.connection.execute(
        "SELECT event_id, event_type, event_data::text, metadata::text, version, position, created_at "
        "FROM event_store ORDER BY version"
    ).fetchall()
    assert len(messages) == len(stored)
    for message, (event_id, event_type, data, metadata, version, position, created_at) in zip(messages, stored):
        assert message.key() == str(order_id).encode()
        assert message.value() == data.encode()
        assert dict(message.headers()) == {
            "ce_specversion": b"1.0",
            "ce_id": str(event_id).encode(),
            "ce_source": f"urn:uuid:{log_id(store.connection)}".encode(),
            "ce_type": event_type.encode(),
            "ce_subject": str(order_id).encode(),
            "ce_time": created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode(),
            "content-type": b"application/json",
            "ce_aggregatetype": b"order",
            "ce_aggregateversion": str(version).encode(),
            "ce_schemaversion": b"1",
            "ce_position": str(position).encode(),
            "metadata": metadata.encode(),
        }


def test_each_aggregate_keeps_its_order_in_one_partition(store: Store, relay: Relay, kafka: KafkaAddress) -> None:
    orders = [uuid4() for _ in range(20)]
    for command in CART:
        for order_id in orders:
            execute(store, order_id, command)
    relay.publish_batch()
    messages = messages_of(kafka)
    assert versions_of(messages) == {str(order_id): list(range(1, len(CART) + 1)) for order_id in orders}
    partitions = defaultdict(set)
    for message in messages:
        partitions[message.key()].add(message.partition())
    assert all(len(found) == 1 for found in partitions.values())
    assert len({message.partition() for message in messages}) == TOPIC_PARTITIONS


def test_a_crash_between_acknowledgement_and_deletion_repeats_and_loses_nothing(
    store: Store, relay: Relay, kafka: KafkaAddress, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = uuid4()
    execute(store, order_id, *CART[:1])
    relay.publish_batch()  # what comes next need not wait for its first acknowledgement
    execute(store, order_id, *CART[1:])
    # The relay's connection is cut by the server after Kafka has acknowledged and before the rows are deleted.
    original = Sender.take_acknowledged

    def take_and_cut(self: Sender) -> list[int]:
        store.connection.execute("SELECT pg_terminate_backend(%s)", [relay._connection.info.backend_pid])
        return original(self)

    monkeypatch.setattr(Sender, "take_acknowledged", take_and_cut)
    with pytest.raises(psycopg.OperationalError):
        relay.publish_batch()
    monkeypatch.undo()
    assert unpublished(store) == len(CART) - 1
    with connect(database_url) as again:
        second = Relay(again, kafka, TOPIC_PARTITIONS)
        wait_for(lambda: second.publish_batch() == len(CART) - 1)  # as soon as the leases of the first have run out
    assert versions_of(messages_of(kafka)) == {str(order_id): [1, 2, 3, 4, 5, 6, 2, 3, 4, 5, 6]}
    projector = Projector(store.connection, kafka, TOPIC_PARTITIONS, ORDER_PROJECTIONS)
    projector.apply(messages_of(kafka))
    assert verify(store, ORDER_PROJECTIONS).equal == 1


def test_relays_share_the_shards_and_take_over_what_another_leaves(
    store: Store, kafka: KafkaAddress, database_url: str
) -> None:
    with connect(database_url) as one, connect(database_url) as two:
        first, second = (Relay(connection, kafka, TOPIC_PARTITIONS, SHORT_LEASE_S) for connection in (one, two))
        with running(first):
            wait_for(lambda: owners(store) == {first.relay_id: SHARDS})
            with running(second):
                wait_for(lambda: owners(store) == {first.relay_id: SHARDS // 2, second.relay_id: SHARDS // 2})
                orders = [uuid4() for _ in range(40)]
                for order_id in orders:
                    execute(store, order_id, *CART)
                wait_for(lambda: unpublished(store) == 0)
            wait_for(lambda: owners(store) == {first.relay_id: SHARDS})
    assert owners(store) == {}
    assert versions_of(messages_of(kafka)) == {str(order_id): [1, 2, 3, 4, 5, 6] for order_id in orders}


def test_a_killed_relay_is_replaced_and_a_suspended_one_does_no_harm(
    store: Store, kafka: KafkaAddress, database_url: str, eventlib_environment: dict[str, str]
) -> None:
    orders = [uuid4() for _ in range(60)]
    with background(eventlib_environment, "run", "relay") as away, connect(database_url) as connection:
        wait_for(lambda: sum(owners(store).values()) == SHARDS)
        writer = threading.Thread(target=write, args=(database_url, orders))
        writer.start()
        wait_for(lambda: unpublished(store) == 0 and messages_of(kafka))
        away.send_signal(signal.SIGSTOP)
        second = Relay(connection, kafka, TOPIC_PARTITIONS)
        with running(second):
            writer.join()
            wait_for(lambda: owners(store) == {second.relay_id: SHARDS} and unpublished(store) == 0)
            away.send_signal(signal.SIGCONT)  # it may send again what it had fetched
            wait_for(lambda: len(owners(store)) == 2)
            write(database_url, more := [uuid4() for _ in range(20)])
            wait_for(lambda: unpublished(store) == 0)
            away.kill()
            write(database_url, still := [uuid4() for _ in range(20)])
            wait_for(lambda: unpublished(store) == 0)
    published = versions_of(messages_of(kafka))
    assert published.keys() == {str(order_id) for order_id in [*orders, *more, *still]}
    for versions in published.values():
        assert list(dict.fromkeys(versions)) == [1, 2, 3, 4, 5, 6]


def write(database_url: str, orders: list[UUID]) -> None:
    with Store.open(database_url) as store:
        for order_id in orders:
            execute(store, order_id, *CART)


def test_rows_of_a_shard_that_was_lost_are_not_forgotten(store: Store, relay: Relay, kafka: KafkaAddress) -> None:
    execute(store, uuid4(), *CART)
    original = relay._forget

    def lose_and_forget() -> None:
        store.connection.execute("UPDATE relay_shards SET owner = gen_random_uuid(), epoch = epoch + 1")
        original()

    relay._forget = lose_and_forget  # type: ignore[method-assign]
    assert relay.publish_batch() == 0
    assert unpublished(store) == len(CART)


def test_who_commits_late_is_not_skipped_and_nothing_comes_twice(store: Store, database_url: str) -> None:
    window = Unpublished(store.connection)
    everything = range(SHARDS)
    assert window.page(everything, 100) == window.page(everything, 100) == []
    late_order, order_id = uuid4(), uuid4()
    with Store.open(database_url) as late, late.connection.transaction():
        execute(late, late_order, *CART[:2])
        execute(store, order_id, *CART[:3])
        assert [row.version for row in window.page(everything, 2)] == [1, 2]
        execute(store, order_id, CART[3])  # is not part of the window that was begun
        assert [row.version for row in window.page(everything, 2)] == [3]
        assert [row.version for row in window.page(everything, 2)] == [4]
        assert window.page(everything, 2) == []
    assert [(UUID(row.aggregate_id), row.version) for row in window.page(everything, 100)] == [
        (late_order, 1),
        (late_order, 2),
    ]
    window.look_at_all()
    assert len(window.page(everything, 100)) == 6


def stops_without_an_answer(relay: Relay, broker: EmbeddedKafka) -> None:
    """The relay works for a second on a broker that is suspended, and stops when it is told to."""
    process, stop = psutil.Process(broker.status().pid), Stop()
    worker = threading.Thread(target=relay.run, args=(stop,))
    process.suspend()
    try:
        worker.start()
        stop.wait(1)
        stop.set()
        worker.join(10)
        assert not worker.is_alive()
    finally:
        process.resume()


def test_the_relay_stops_though_the_broker_does_not_answer(
    store: Store, other_connection: Connection, kafka: KafkaAddress, broker: EmbeddedKafka
) -> None:
    relay = Relay(other_connection, kafka, TOPIC_PARTITIONS)
    execute(store, uuid4(), *CART)
    relay.publish_batch()
    execute(store, uuid4(), *CART)
    stops_without_an_answer(relay, broker)
    assert unpublished(store) == len(CART) and owners(store) == {}
    assert Relay(other_connection, kafka, TOPIC_PARTITIONS).publish_batch() == len(CART)


def test_a_topic_that_was_deleted_is_made_again_and_the_silence_said(
    store: Store, relay: Relay, kafka: KafkaAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventlib.outbox.relay.SILENCE_S", 1.0)
    execute(store, uuid4(), *CART)
    relay.publish_batch()
    delete_topics(kafka)
    later = uuid4()
    with running(relay):
        execute(store, later, *CART)
        wait_for(lambda: unpublished(store) == 0)
        errors = "SELECT last_error FROM relays WHERE last_error LIKE 'Kafka has acknowledged nothing for%'"
        wait_for(lambda: store.connection.execute(errors).fetchall())
    assert versions_of(messages_of(kafka)) == {str(later): [1, 2, 3, 4, 5, 6]}
    kept = ConfigResource(ResourceType.TOPIC, "order.events")
    admin = reach(kafka)
    assert admin.describe_configs([kept])[kept].result()["retention.ms"].value == "-1"


def test_a_full_queue_keeps_nobody_from_stopping_and_nothing_from_being_published(
    store: Store, other_connection: Connection, kafka: KafkaAddress, broker: EmbeddedKafka
) -> None:
    narrow = KafkaAddress(kafka.bootstrap, {"queue.buffering.max.messages": "10"})
    orders = [uuid4() for _ in range(20)]
    relay = Relay(other_connection, narrow, TOPIC_PARTITIONS)
    relay.publish_batch()
    for order_id in orders:
        execute(store, order_id, *CART)
    stops_without_an_answer(relay, broker)
    assert Relay(other_connection, narrow, TOPIC_PARTITIONS).publish_batch() == 20 * len(CART)
    for versions in versions_of(messages_of(kafka)).values():
        assert list(dict.fromkeys(versions)) == [1, 2, 3, 4, 5, 6]


def test_relays_that_were_killed_long_ago_are_forgotten(store: Store, relay: Relay) -> None:
    gone = (
        "INSERT INTO relays (relay, place, alive_until) VALUES (gen_random_uuid(), 'gone', now() - interval '2 days')"
    )
    store.connection.execute(gone)
    relay.publish_batch()
    assert store.connection.execute("SELECT relay FROM relays").fetchall() == [(relay.relay_id,)]


def test_relays_that_find_a_backlog_and_many_partitions_that_nobody_has_written_to_share_it(
    store: Store, database_url: str, kafka: KafkaAddress
) -> None:
    partitions, orders = 24, 300
    ensure_topic(reach(kafka), topic_of("order"), partitions)
    for _ in range(orders):
        with store.connection.transaction():
            execute(store, uuid4(), *CART[:2])
    slow = KafkaAddress(kafka.bootstrap, {"linger.ms": "50"})
    with connect(database_url) as first, connect(database_url) as second:
        one, other = Relay(first, slow, partitions), Relay(second, slow, partitions)
        with running(one), running(other):
            wait_for(lambda: unpublished(store) == 0)
    versions = versions_of(messages_of(kafka))
    assert len(versions) == orders and all(list(dict.fromkeys(one)) == [1, 2] for one in versions.values())


def test_a_topic_that_does_not_answer_holds_up_no_other(
    store: Store, other_connection: Connection, kafka: KafkaAddress
) -> None:
    ensure_topic(reach(kafka), "basket.events", TOPIC_PARTITIONS)
    execute(store, uuid4(), *CART)
    for _ in range(20):
        store.connection.execute(BASKET, [uuid4()])
    relay = Relay(other_connection, kafka, TOPIC_PARTITIONS)
    relay._sender.partitions[topic_of("order")] = TOPIC_PARTITIONS  # it is not there, and the relay does not know
    with running(relay):
        wait_for(lambda: unpublished(store) == len(CART), 4)  # before it looks why Kafka is silent
        wait_for(lambda: unpublished(store) == 0)
