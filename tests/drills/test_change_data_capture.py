"""Debezium in the place of the relays, for real: the same messages, and hand-overs without a gap."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from confluent_kafka.admin import ConfigResource

from eventlib.embedded.connect import EmbeddedConnect
from eventlib.errors import ServiceUnavailable, SettingsError
from eventlib.orders.projections import ORDER_PROJECTIONS
from eventlib.outbox.cdc import CONNECTOR, publisher, slot_status
from eventlib.outbox.relay import Relay
from eventlib.outbox.status import outbox_status
from eventlib.pipeline.change_data_capture import cdc_config, cdc_down, cdc_status, cdc_up, database_properties
from eventlib.pipeline.readiness import readiness
from eventlib.pipeline.signals import take_signals
from eventlib.projections.reconcile import verify
from eventlib.store.connection import connect
from eventlib.store.event_store import Store
from eventlib.streaming.clients import KafkaAddress, reach
from tests.conftest import TOPIC_PARTITIONS, delete_topics
from tests.messages import TOPIC, messages_of, versions_of
from tests.orders import CART, execute
from tests.processes import background, eventlib
from tests.waiting import wait_for

pytestmark = pytest.mark.drill


@pytest.fixture
def kafka_connect(state_dir: Path, store: Store) -> Iterator[EmbeddedConnect]:
    worker = EmbeddedConnect(state_dir)
    yield worker
    worker.stop()
    store.connection.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")


def ordered(store: Store, number: int) -> list[UUID]:
    orders = [uuid4() for _ in range(number)]
    for order_id in orders:
        execute(store, order_id, *CART)
    return orders


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def depth(store: Store) -> int:
    return outbox_status(store.connection).depth


def retention_ms(kafka: KafkaAddress, topic: str) -> str:
    admin = reach(kafka)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    return str(admin.describe_configs([resource])[resource].result(10)["retention.ms"].value)


def contents(kafka: KafkaAddress) -> dict[tuple[bytes, bytes], tuple[bytes, list[tuple[str, bytes]]]]:
    """Of every message, by its key and its event's id, the value and the headers."""
    return {
        (message.key(), dict(message.headers())["ce_id"]): (message.value(), sorted(message.headers()))
        for message in messages_of(kafka)
    }


def test_debezium_writes_what_the_relay_writes_and_the_outbox_stays_small(
    store: Store, database_url: str, kafka: KafkaAddress, kafka_connect: EmbeddedConnect
) -> None:
    # No topic is there: Kafka Connect creates it as a relay would.
    cdc_up(store.connection, kafka_connect, database_url, kafka, [], TOPIC_PARTITIONS)
    assert publisher(store.connection) == "cdc" and slot_status(store.connection).exists
    ordered(store, 5)
    wait_for(lambda: len(contents(kafka)) == 5 * len(CART), 60)
    from_debezium = contents(kafka)
    heartbeats = "__debezium-heartbeat.eventlib"
    wait_for(lambda: heartbeats in reach(kafka).list_topics(timeout=10).topics)  # made with the first one
    assert retention_ms(kafka, TOPIC) == "-1" and retention_ms(kafka, heartbeats) == "86400000"
    partitions = {message.key(): message.partition() for message in messages_of(kafka)}
    # Nobody has deleted the rows yet: the relay can publish the very same ones.
    assert depth(store) == 5 * len(CART)
    assert cdc_status(store.connection, kafka_connect).problems == []
    assert cdc_down(store.connection, kafka_connect) and not slot_status(store.connection).exists
    assert not cdc_down(store.connection, kafka_connect)
    delete_topics(kafka)
    with connect(database_url) as connection:
        relay = Relay(connection, kafka, TOPIC_PARTITIONS)
        assert relay.publish_batch() == 5 * len(CART)
        relay.close()
    assert contents(kafka) == from_debezium
    assert {message.key(): message.partition() for message in messages_of(kafka)} == partitions
    assert all(dict(message.headers())["ce_specversion"] == b"1.0" for message in messages_of(kafka))


def test_hand_over_under_load_there_and_back_without_a_gap(
    store: Store,
    database_url: str,
    kafka: KafkaAddress,
    kafka_connect: EmbeddedConnect,
    eventlib_environment: dict[str, str],
) -> None:
    stop = threading.Event()
    written: list[UUID] = []

    def write() -> None:
        with Store.open(database_url) as mine:
            while not stop.is_set():
                written.extend(ordered(mine, 1))
                time.sleep(0.02)

    writer = threading.Thread(target=write)
    with background(eventlib_environment, "run", "all"):
        writer.start()
        try:
            wait_for(lambda: len(written) > 20)
            up = eventlib(eventlib_environment, "cdc", "up")
            assert up.returncode == 0, up.stderr
            at = len(written)
            wait_for(lambda: len(written) > at + 50)
            # The rows that Kafka has go as the slot confirms them, while new ones come.
            first = "SELECT count(*) FROM outbox WHERE aggregate_id = ANY(%s)"
            wait_for(lambda: store.connection.execute(first, [written[at : at + 20]]).fetchall() == [(0,)], 60)
            shown = eventlib(eventlib_environment, "cdc", "status")
            assert shown.returncode == 0 and "change data capture" in shown.stdout and "RUNNING" in shown.stdout
            signals = take_signals(store.connection, kafka, reach(kafka), [ORDER_PROJECTIONS])
            assert readiness(signals, 10)[0].ready and "change data capture" in readiness(signals, 10)[0].finding
            down = eventlib(eventlib_environment, "cdc", "down")
            assert down.returncode == 0, down.stderr
            at = len(written)
            wait_for(lambda: len(written) > at + 20)
        finally:
            stop.set()
            writer.join()
        wait_for(lambda: depth(store) == 0, 60)
        wait_for(
            lambda: (
                verify(store, ORDER_PROJECTIONS).equal == len(written) and not verify(store, ORDER_PROJECTIONS).behind
            )
        )
    for versions in versions_of(messages_of(kafka)).values():
        assert list(dict.fromkeys(versions)) == list(range(1, len(CART) + 1))


def test_a_killed_connector_goes_on_and_a_lost_one_is_said(
    store: Store, database_url: str, kafka: KafkaAddress, kafka_connect: EmbeddedConnect
) -> None:
    def up() -> None:
        cdc_up(store.connection, kafka_connect, database_url, kafka, ["order"], TOPIC_PARTITIONS)

    up()
    ordered(store, 3)
    wait_for(lambda: len(contents(kafka)) == 3 * len(CART), 60)
    process = kafka_connect._process.find()
    assert process is not None
    process.send_signal(signal.SIGKILL)
    ordered(store, 3)
    wait_for(lambda: not slot_status(store.connection).active)
    status = cdc_status(store.connection, kafka_connect)
    assert any("nobody reads from the slot" in problem for problem in status.problems)
    assert any("was killed or crashed" in problem for problem in status.problems)
    up()
    wait_for(lambda: len(contents(kafka)) == 6 * len(CART), 60)
    # The slot is gone: whatever is not known to be published is still in the outbox.
    kafka_connect.stop()
    orders = ordered(store, 2)
    config = cdc_config(store.connection, database_url, TOPIC_PARTITIONS)
    store.connection.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
    # Debezium, started by somebody else, knows by its offsets that it cannot go on, and makes no slot that begins later.
    with pytest.raises(ServiceUnavailable, match="no longer available"):
        kafka_connect.run_connector(kafka.bootstrap, CONNECTOR, config)
    assert not slot_status(store.connection).exists
    with pytest.raises(ServiceUnavailable, match="`eventlib cdc down` lets the relays publish again"):
        up()
    assert cdc_status(store.connection, kafka_connect).problems
    cdc_down(store.connection, kafka_connect)
    with connect(database_url) as connection:
        relay = Relay(connection, kafka, TOPIC_PARTITIONS)
        relay.publish_batch()
        relay.close()
    assert {str(order_id) for order_id in orders} <= versions_of(messages_of(kafka)).keys() and depth(store) == 0


def test_without_relays_that_finish_nothing_is_handed_over(
    store: Store,
    database_url: str,
    kafka: KafkaAddress,
    kafka_connect: EmbeddedConnect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("eventlib.outbox.cdc.HAND_OVER_S", 0.5)
    ordered(store, 1)
    with pytest.raises(ServiceUnavailable, match="the relays go on publishing"):
        cdc_up(store.connection, kafka_connect, database_url, kafka, ["order"], TOPIC_PARTITIONS)
    assert publisher(store.connection) == "relay" and not slot_status(store.connection).exists
    with pytest.raises(SettingsError, match="knows nothing of EVENTLIB_KAFKA_OPTIONS"):
        secured = KafkaAddress(kafka.bootstrap, {"client.id": "me"})
        cdc_up(store.connection, kafka_connect, database_url, secured, ["order"], TOPIC_PARTITIONS)


def test_offsets_of_an_earlier_slot_do_not_count(
    store: Store,
    database_url: str,
    kafka: KafkaAddress,
    kafka_connect: EmbeddedConnect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def up() -> None:
        cdc_up(store.connection, kafka_connect, database_url, kafka, ["order"], TOPIC_PARTITIONS)

    up()
    ordered(store, 1)
    wait_for(lambda: len(contents(kafka)) == len(CART), 60)
    wait_for(lambda: kafka_connect._folder.joinpath("offsets").exists())
    cdc_down(store.connection, kafka_connect)
    with connect(database_url) as connection:
        relay = Relay(connection, kafka, TOPIC_PARTITIONS)
        ordered(store, 1)
        relay.publish_batch()
        relay.close()
    store.connection.execute("SELECT pg_switch_wal()")
    store.connection.execute("CHECKPOINT")
    # Cut after the relays have let go, and before the connector starts.
    with monkeypatch.context() as cut:
        cut.setattr(EmbeddedConnect, "run_connector", interrupt)
        with pytest.raises(KeyboardInterrupt):
            up()
    assert publisher(store.connection) == "cdc"
    ordered(store, 1)
    up()
    wait_for(lambda: len(contents(kafka)) == 3 * len(CART), 60)
    assert cdc_status(store.connection, kafka_connect).problems == []


def test_the_configuration_for_a_connect_of_ones_own_has_no_password(
    store: Store, database_url: str, eventlib_environment: dict[str, str]
) -> None:
    url = "postgresql://me:secret@db.example:5433/shop?sslmode=require"
    assert database_properties(url)["database.password"] == "secret"
    assert (
        database_properties(url)["database.sslmode"] == "require"
        and database_properties(url)["database.port"] == "5433"
    )
    store.connection.execute("UPDATE outbox_publisher SET publisher = 'cdc', slot = 'eventlib_outbox_some'")
    environment = {**eventlib_environment, "EVENTLIB_DATABASE_OWNER_URL": f"{database_url}&password=secret"}
    shown = eventlib(environment, "cdc", "config")
    assert "secret" not in shown.stdout
    config = json.loads(shown.stdout)["config"]
    assert config["database.password"] == "${env:EVENTLIB_CDC_PASSWORD}"
    assert config["slot.name"] == config["topic.prefix"] == "eventlib_outbox_some"
    assert config["transforms.outbox.route.topic.replacement"] == "${routedByValue}.events"
