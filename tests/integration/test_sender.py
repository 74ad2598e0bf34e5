"""What the relay's sender takes for published, and in which order it lets messages go, on a real log."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

import pytest
from confluent_kafka import KafkaError

from eventlib.outbox.sender import Sender
from eventlib.outbox.unpublished import OutboxRow, Unpublished
from eventlib.store.event_store import Store
from eventlib.store.log_identity import log_id
from eventlib.streaming.clients import KafkaAddress, reach
from eventlib.streaming.topics import ensure_topic
from tests.messages import TOPIC
from tests.orders import CART, execute

NOBODY = KafkaAddress("127.0.0.1:1")


@dataclass
class Delivered:
    """What librdkafka hands to a delivery callback, of an order's message in partition 0."""

    at: int | None = 0

    def offset(self) -> int | None:
        return self.at

    def partition(self) -> int:
        return 0


@pytest.fixture
def rows(store: Store) -> list[OutboxRow]:
    """Two orders in the outbox, one behind the other."""
    for order_id in (uuid4(), uuid4()):
        execute(store, order_id, *CART)
    return Unpublished(store.connection).page(range(64), 100)


def sender(store: Store, partitions: int) -> Sender:
    """One whose Kafka does not answer; what comes of messages, `note` says."""
    made = Sender(NOBODY, log_id(store.connection))
    made.partitions[TOPIC] = partitions
    return made


def note(to: Sender, row: OutboxRow, error: KafkaError | None, at: int | None = 0) -> None:
    to._note(row, 0, error, Delivered(at))  # type: ignore[arg-type]


def test_only_what_stands_before_every_failure_of_its_aggregate_may_be_forgotten(
    store: Store, rows: list[OutboxRow]
) -> None:
    sending = sender(store, 1)
    first, second, third, *_ = rows
    refused = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)
    for row, error in ((third, refused), (first, refused), (second, None)):
        note(sending, row, error)
    assert sending.take_acknowledged() == []


def test_what_is_acknowledged_without_a_place_in_the_topic_is_not_published(
    store: Store, rows: list[OutboxRow]
) -> None:
    sending = sender(store, 1)
    lost, later, *_ = rows
    note(sending, lost, None, at=None)
    note(sending, later, None)
    assert sending.take_acknowledged() == [] and sending.failures.keys() == {lost.id}
    sending.send([later])  # behind what is lost, nothing of its order
    assert not sending.on_the_way


def test_before_a_partition_is_known_to_be_reached_an_aggregate_has_one_message_under_way(
    store: Store, rows: list[OutboxRow]
) -> None:
    first, second = rows[0], rows[len(CART)]
    sending = sender(store, 2)
    assert not sending.send([first, second, *rows])
    assert sending.on_the_way.keys() == {first.id, second.id}
    # An order whose partition is known to have something of it is not held up any more, another one still is.
    note(sending, first, None)
    assert not sending.send([row for row in rows if row.id not in sending.on_the_way])
    assert sending.on_the_way.keys() == {second.id, *(row.id for row in rows[: len(CART)])}
    sending.begin_again()
    assert not sending.send(rows)
    assert sending.on_the_way.keys() == {first.id, second.id}


def test_once_every_partition_is_reached_nobody_waits(store: Store, rows: list[OutboxRow]) -> None:
    sending = sender(store, 1)
    note(sending, rows[0], None)
    assert sending.send(rows[1:])


def test_a_topic_has_the_partitions_that_it_was_made_with(kafka: KafkaAddress) -> None:
    admin = reach(kafka)
    assert [ensure_topic(admin, TOPIC, partitions) for partitions in (3, 5)] == [(3, True), (3, False)]
