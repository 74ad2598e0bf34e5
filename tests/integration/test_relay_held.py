"""Aggregates that wait in the outbox although Kafka is there: refused ones and parked ones, and nobody else with them."""

from __future__ import annotations

import re
from uuid import UUID, uuid4

import pytest
from confluent_kafka.admin import NewTopic

from eventlib.orders.commands import AddItem, Command, PlaceOrder
from eventlib.outbox import held
from eventlib.outbox.relay import Relay
from eventlib.outbox.status import outbox_status
from eventlib.outbox.unpublished import Unpublished
from eventlib.store.connection import Connection, connect
from eventlib.store.event_store import Store
from eventlib.streaming.clients import KafkaAddress, reach
from eventlib.streaming.topics import topic_of
from tests.conftest import TOPIC_PARTITIONS
from tests.messages import messages_of, versions_of
from tests.orders import CART, USER, execute
from tests.running import running
from tests.waiting import wait_for

SMALL_BYTES = 3000


@pytest.fixture
def small_topic(kafka: KafkaAddress) -> KafkaAddress:
    """Kafka with a topic of one partition that takes small batches only; whoever is refused is refused by the broker."""
    topic = NewTopic(topic_of("order"), num_partitions=1, config={"max.message.bytes": str(SMALL_BYTES)})
    admin = reach(kafka)
    admin.create_topics([topic])[topic.topic].result()
    return kafka


def cart(*sizes: int) -> list[Command]:
    """An order, and an item of each of these sizes in bytes."""
    return [PlaceOrder(USER, "EUR"), *(AddItem("x" * size, 1, 1, "me") for size in sizes)]


def enlarge(store: Store, order_id: UUID, version: int) -> None:
    """Make a row of the outbox too large for the topic. No command makes one like that."""
    big = "UPDATE outbox SET event_data = to_jsonb(repeat('x', 6000)) WHERE aggregate_id = %s AND version = %s"
    store.connection.execute(big, [order_id, version])


def waiting(store: Store) -> set[UUID]:
    return {row[0] for row in store.connection.execute("SELECT DISTINCT aggregate_id FROM outbox")}


def held_ids(store: Store) -> set[UUID]:
    return {row[0] for row in store.connection.execute("SELECT aggregate_id FROM outbox_held")}


def test_a_message_that_kafka_refuses_holds_back_its_own_aggregate_only(
    store: Store, other_connection: Connection, kafka: KafkaAddress, database_url: str
) -> None:
    small = KafkaAddress(kafka.bootstrap, {"message.max.bytes": "2000"})
    healthy, stuck = uuid4(), uuid4()
    execute(store, stuck, PlaceOrder(USER, "EUR"), *(AddItem(sku, 1, 1, "me") for sku in ("a", "b")))
    store.connection.execute(
        "UPDATE outbox SET event_data = jsonb_build_object('big', repeat('x', 5000)) WHERE version = 2"
    )
    for sku in ("x" * 500, "y" * 500, "z" * 500):
        execute(store, healthy, *([PlaceOrder(USER, "EUR")] if sku[0] == "x" else []), AddItem(sku, 1, 1, "me"))
    relay = Relay(other_connection, small, TOPIC_PARTITIONS)
    relay.publish_batch()
    left = store.connection.execute("SELECT aggregate_id, version FROM outbox ORDER BY id").fetchall()
    assert left == [(stuck, 2), (stuck, 3)]
    assert versions_of(messages_of(kafka)) == {str(healthy): [1, 2, 3, 4], str(stuck): [1]}
    ((aggregate_id, reason, attempts, due),) = store.connection.execute(
        "SELECT aggregate_id, reason, attempts, retry_at IS NOT NULL FROM outbox_held"
    ).fetchall()
    assert (aggregate_id, attempts, due) == (stuck, 1, True)
    assert re.search(rf"order {stuck}, version 2.*too large", reason, re.IGNORECASE)
    # It is tried again and refused again, the more seldom the more often; then it is parked.
    for attempt in range(2, held.MAX_ATTEMPTS + 1):
        assert held.retry(store.connection, stuck) == [stuck]
        relay.publish_batch()
        assert store.connection.execute("SELECT attempts FROM outbox_held").fetchall() == [(attempt,)]
    assert store.connection.execute("SELECT retry_at FROM outbox_held").fetchall() == [(None,)]
    relay.close()
    # A relay that can send it lets it go, in order, once somebody has said so.
    with connect(database_url) as connection:
        able = Relay(connection, kafka, TOPIC_PARTITIONS)
        assert able.publish_batch() == 0
        held.unpark(store.connection)
        assert able.publish_batch() == 2
        able.publish_batch()
    assert versions_of(messages_of(kafka))[str(stuck)] == [1, 2, 3]
    assert store.connection.execute("SELECT FROM outbox_held").fetchall() == []


def test_a_message_that_is_larger_than_the_queue_is_held_back_and_the_others_take_turns_in_it(
    store: Store, other_connection: Connection, kafka: KafkaAddress
) -> None:
    narrow = KafkaAddress(kafka.bootstrap, {"queue.buffering.max.kbytes": "2"})
    stuck, *healthy = (uuid4() for _ in range(4))
    for order_id in (stuck, *healthy):
        execute(store, order_id, *CART)
    enlarge(store, stuck, 2)
    Relay(other_connection, narrow, TOPIC_PARTITIONS).publish_batch()
    assert held_ids(store) == waiting(store) == {stuck}
    published = versions_of(messages_of(kafka))
    assert published.pop(str(stuck)) == [1]
    assert published == {str(order_id): [1, 2, 3, 4, 5, 6] for order_id in healthy}
    ((reason,),) = store.connection.execute("SELECT reason FROM outbox_held").fetchall()
    assert "larger than the queue of the producer" in reason


def test_a_parked_aggregate_waits_and_the_others_do_not(store: Store, relay: Relay, kafka: KafkaAddress) -> None:
    parked, other = uuid4(), uuid4()
    held.park(store.connection, parked, "asked to by an operator")
    execute(store, parked, *CART)
    execute(store, other, *CART)
    assert relay.publish_batch() == len(CART) and waiting(store) == {parked}
    assert versions_of(messages_of(kafka)).keys() == {str(other)}
    assert held.unpark(store.connection, parked) == [parked]
    assert relay.publish_batch() == len(CART)
    relay.publish_batch()
    assert store.connection.execute("SELECT FROM outbox_held").fetchall() == []


def test_who_shared_a_batch_with_a_message_that_the_broker_refuses_is_not_held(
    store: Store, relay: Relay, small_topic: KafkaAddress
) -> None:
    poison, *innocent = (uuid4() for _ in range(6))
    for order_id in (poison, *innocent):
        execute(store, order_id, *cart(1, 2, 3))
    enlarge(store, poison, 2)
    relay.publish_batch()
    assert held_ids(store) == waiting(store) == {poison}
    assert versions_of(messages_of(small_topic)) == {
        str(poison): [1],
        **{str(order_id): [1, 2, 3, 4] for order_id in innocent},
    }
    ((reason, attempts),) = store.connection.execute("SELECT reason, attempts FROM outbox_held").fetchall()
    assert attempts == 1 and re.search(f"order {poison}, version 2.*too large", reason)


def test_small_messages_that_are_only_too_many_for_a_batch_all_get_there(
    store: Store, relay: Relay, small_topic: KafkaAddress
) -> None:
    orders = [uuid4() for _ in range(30)]
    for order_id in orders:
        execute(store, order_id, *cart(200, 300))
    assert relay.publish_batch() == 90
    assert held_ids(store) == waiting(store) == set()
    assert versions_of(messages_of(small_topic)) == {str(order_id): [1, 2, 3] for order_id in orders}


def test_behind_a_message_that_the_broker_refuses_no_later_version_gets_into_the_topic(
    store: Store, relay: Relay, small_topic: KafkaAddress
) -> None:
    stuck, healthy = uuid4(), uuid4()
    with running(relay):
        for number in range(60):
            execute(store, stuck, *(cart(1) if number == 0 else [AddItem("y", 1, 1, "me")]))
            if number == 20:
                with store.connection.transaction():
                    execute(store, stuck, AddItem("z", 1, 1, "me"))
                    enlarge(store, stuck, 23)
        execute(store, healthy, *CART)
        wait_for(lambda: waiting(store) == held_ids(store) == {stuck})
    versions = versions_of(messages_of(small_topic))
    assert list(dict.fromkeys(versions[str(stuck)])) == list(range(1, 23))
    assert versions[str(healthy)] == [1, 2, 3, 4, 5, 6]


def test_what_is_newer_does_not_overtake_what_was_held(store: Store, relay: Relay, kafka: KafkaAddress) -> None:
    orders = [uuid4() for _ in range(8)]
    with running(relay):
        for order_id in orders:
            held.park(store.connection, order_id, "asked to")
            execute(store, order_id, *cart(1, 2))
            execute(store, other := uuid4(), *CART[:1])
            wait_for(lambda other=other: other not in waiting(store))  # so that the window has moved past the held ones
            held.unpark(store.connection, order_id)
            execute(store, order_id, AddItem("newer", 1, 1, "me"))
            wait_for(lambda: not waiting(store))
    versions = versions_of(messages_of(kafka))
    assert [versions[str(order_id)] for order_id in orders] == [[1, 2, 3, 4]] * len(orders)


def test_shards_that_were_not_asked_for_meanwhile_are_looked_at_again(store: Store) -> None:
    window = Unpublished(store.connection)
    half, everything = range(32), range(64)
    assert window.page(everything, 100) == []
    orders = [uuid4() for _ in range(20)]
    for order_id in orders:
        execute(store, order_id, *CART[:1])
    seen = window.page(half, 100)
    assert window.page(half, 100) == []
    found = window.page(everything, 100)
    assert {UUID(row.aggregate_id) for row in found} == set(orders) and len(seen) < len(found)


def test_an_aggregate_that_somebody_has_parked_stays_parked_when_a_message_of_it_is_refused(store: Store) -> None:
    order_id = uuid4()
    held.park(store.connection, order_id, "asked to by an operator")
    assert held.hold(store.connection, order_id, "too large") == (1, None)
    assert store.connection.execute("SELECT reason FROM outbox_held").fetchall() == [("asked to by an operator",)]


def test_what_is_held_back_says_nothing_of_how_long_others_wait(store: Store) -> None:
    old, new = uuid4(), uuid4()
    execute(store, old, *CART)
    store.connection.execute("UPDATE outbox SET created_at = created_at - interval '1 hour'")
    execute(store, new, *CART)
    assert outbox_status(store.connection).oldest_s > 3000
    held.park(store.connection, old, "asked to")
    status = outbox_status(store.connection)
    assert status.depth == 2 * len(CART) and status.oldest_s < 60
    assert not any("the oldest event has waited" in problem for problem in status.problems)
