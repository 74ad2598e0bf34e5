"""What becomes of a read model when the topic, or the log, is not any more what it was."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import TopicPartition

from eventlib.embedded.kafka import EmbeddedKafka
from eventlib.errors import ServiceUnavailable
from eventlib.orders.commands import AddItem
from eventlib.orders.projections import ORDER_PROJECTIONS
from eventlib.outbox.cdc import hand_over_to_cdc
from eventlib.outbox.relay import Relay
from eventlib.pipeline.backlog import backlog
from eventlib.pipeline.readiness import readiness
from eventlib.pipeline.signals import take_signals
from eventlib.projections.parking import parked
from eventlib.projections.projector import Projector
from eventlib.projections.rebuild import rebuild
from eventlib.projections.reconcile import verify
from eventlib.store.connection import Connection, connect
from eventlib.store.event_store import Store
from eventlib.store.scan import partitions
from eventlib.streaming.clients import KafkaAddress, reach
from eventlib.streaming.topics import end_offsets, ensure_topic, topic_id
from tests.conftest import TOPIC_PARTITIONS
from tests.messages import TOPIC, messages_of
from tests.orders import CART, execute
from tests.projecting import OrderProjector, project_all, published
from tests.rebuilt import holds


@pytest.fixture
def own_broker() -> Iterator[tuple[EmbeddedKafka, Path]]:
    """A broker that a test may damage, and the folder of its log."""
    folder = Path(tempfile.mkdtemp(prefix="eventlib-cut-", dir="/tmp"))
    folder.chmod(0o755)
    broker = EmbeddedKafka(folder)
    broker.start()
    yield broker, folder / "kafka" / "data"
    broker.stop()
    shutil.rmtree(folder)


def test_what_is_written_where_a_partition_was_cut_back_is_applied(
    store: Store, database_url: str, own_broker: tuple[EmbeddedKafka, Path]
) -> None:
    broker, data = own_broker
    kafka = KafkaAddress(broker.bootstrap)
    ensure_topic(reach(kafka), TOPIC, 1)
    known_as = topic_id(reach(kafka), TOPIC)
    segment = data / f"{TOPIC}-0" / f"{0:020}.log"
    with connect(database_url) as first, connect(database_url) as second:
        relay = Relay(first, kafka, 1)
        published(store, relay, 2)
        on_disk = segment.stat().st_size
        published(store, relay, 3)
        project_all(store, kafka, Projector(second, kafka, 1, ORDER_PROJECTIONS))
        relay.close()
    process = broker._process.find()
    assert process is not None
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    with segment.open("r+b") as log:
        log.truncate(on_disk)  # the power went before the rest was on the disk
    written_later = [*segment.parent.glob("*index"), *data.glob("*offset-checkpoint"), *data.glob(".kafka_clean*")]
    for one in written_later:
        one.unlink()
    broker.start()
    assert (topic_id(reach(kafka), TOPIC), end_offsets(reach(kafka), TOPIC)) == (known_as, {0: 2 * len(CART)})
    with connect(database_url) as first, connect(database_url) as second:
        published(store, Relay(first, kafka, 1), 4)
        project_all(store, kafka, Projector(second, kafka, 1, ORDER_PROJECTIONS))
    assert holds(store, ORDER_PROJECTIONS, 9)
    applied = store.connection.execute("SELECT next_offset FROM projection_offsets").fetchall()
    assert applied == [(6 * len(CART),)]


def test_messages_that_were_deleted_before_they_were_read_are_said_until_a_rebuild(
    store: Store, database_url: str, relay: Relay, kafka: KafkaAddress, projector: OrderProjector
) -> None:
    def findings() -> str:
        signals = take_signals(store.connection, kafka, admin, [ORDER_PROJECTIONS])
        return "; ".join(one.finding for one in readiness(signals, 5.0))

    published(store, relay, 6)
    admin = reach(kafka)
    ends = [TopicPartition(TOPIC, partition, end) for partition, end in end_offsets(admin, TOPIC).items()]
    for deleted in admin.delete_records(ends).values():
        deleted.result()
    published(store, relay, 20)
    project_all(store, kafka, projector)
    found = verify(store, ORDER_PROJECTIONS)
    assert (found.aggregates, len(found.missing)) == (26, 6)
    missed = sum(one.offset for one in ends)
    assert backlog(store.connection, admin, [ORDER_PROJECTIONS]).missed == {"order_projections": missed}
    assert f"{missed} messages were gone before it had read them" in findings()
    rebuild(database_url, ORDER_PROJECTIONS, processes=1)
    assert holds(store, ORDER_PROJECTIONS, 26) and "were gone" not in findings()
    published(store, relay, 1)
    project_all(store, kafka, Projector(store.connection, kafka, TOPIC_PARTITIONS, ORDER_PROJECTIONS))
    assert holds(store, ORDER_PROJECTIONS, 27) and "were gone" not in findings()


def fail_over(connection: Connection, lost_version: int) -> None:
    """What a standby that had not got an event yet is after it was promoted, and `eventlib init` was run there."""
    for table in ("event_store", *partitions(connection)):
        connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
    connection.execute("DELETE FROM event_store WHERE version = %s", [lost_version])
    connection.execute("INSERT INTO log_epochs SELECT 2, log_cluster(), max(position) FROM event_store")


def test_an_event_that_the_log_has_lost_is_not_folded_though_kafka_has_it(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector, caplog: pytest.LogCaptureFixture
) -> None:
    order_id = uuid4()
    execute(store, order_id, *CART[:-1])
    relay.publish_batch()
    projector.apply(messages_of(kafka))
    execute(store, order_id, CART[-1])
    relay.publish_batch()
    fail_over(store.connection, len(CART))
    after = Projector(store.connection, kafka, TOPIC_PARTITIONS, ORDER_PROJECTIONS)
    after.apply(messages_of(kafka))
    assert "which the log has lost" in caplog.text and holds(store, ORDER_PROJECTIONS, 1)
    for sku in ("another", "and another"):
        execute(store, order_id, AddItem(sku, 1, 100, "me"))
        relay.publish_batch()
        after.apply(messages_of(kafka))
        assert holds(store, ORDER_PROJECTIONS, 1)


@pytest.mark.parametrize("header", ["ce_id", "ce_time"])
def test_a_message_without_an_id_or_a_time_stops_nobody_where_the_log_has_moved(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector, header: str
) -> None:
    (broken, *_) = published(store, relay, 3)
    messages = messages_of(kafka)
    for message in messages:
        if message.key() == str(broken).encode():
            message.set_headers([(name, value) for name, value in message.headers() if name != header])
    fail_over(store.connection, lost_version=len(CART) + 1)
    Projector(store.connection, kafka, TOPIC_PARTITIONS, ORDER_PROJECTIONS).apply(messages)
    (left_behind,) = parked(store.connection)
    assert left_behind.aggregate_id == broken and header in left_behind.error
    assert verify(store, ORDER_PROJECTIONS).equal == 2


def test_nobody_works_on_a_log_that_has_moved_and_was_not_told_so(
    store: Store, other_connection: Connection, kafka: KafkaAddress
) -> None:
    store.connection.execute("UPDATE log_epochs SET cluster = 'elsewhere/00000001'")
    for worker in (
        lambda: Projector(store.connection, kafka, TOPIC_PARTITIONS, ORDER_PROJECTIONS),
        lambda: Relay(other_connection, kafka, TOPIC_PARTITIONS),
        lambda: hand_over_to_cdc(other_connection),
    ):
        with pytest.raises(ServiceUnavailable, match="run `eventlib init` once"):
            worker()
