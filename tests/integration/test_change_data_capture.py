"""Who publishes, and the slot: hand-overs that fail, what is left over, what is lost; without Debezium."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from eventlib.embedded.connect import EmbeddedConnect
from eventlib.embedded.postgres import EmbeddedPostgres
from eventlib.errors import ServiceUnavailable
from eventlib.outbox import held
from eventlib.outbox.cdc import hand_over_to_cdc, hand_over_to_relays, publisher, slot_status
from eventlib.outbox.relay import Relay
from eventlib.outbox.status import outbox_status
from eventlib.pipeline.change_data_capture import cdc_config, cdc_down, cdc_status, cdc_up
from eventlib.store.connection import Connection, connect
from eventlib.store.event_store import Store
from eventlib.store.log_identity import log_id
from eventlib.store.queries import query
from eventlib.store.scratch_database import scratch_database
from eventlib.streaming.clients import KafkaAddress
from tests.conftest import STORE_PARTITIONS, TOPIC_PARTITIONS
from tests.messages import messages_of, versions_of
from tests.orders import CART, execute
from tests.processes import eventlib
from tests.waiting import wait_for


@pytest.fixture(autouse=True)
def hand_over_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventlib.outbox.cdc.HAND_OVER_S", 0.3)


@pytest.fixture
def cdc_store(store: Store) -> Iterator[Store]:
    """A store in whose database no slot is left, since it could not be dropped then."""
    yield store
    drop_slots(store.connection)


@pytest.fixture(scope="module")
def own_server() -> Iterator[str]:
    """A PostgreSQL whose settings a test may change."""
    folder = Path(tempfile.mkdtemp(prefix="eventlib-test-", dir="/tmp"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder)
    server.start()
    yield server.owner_url
    server.stop()
    shutil.rmtree(folder)


def drop_slots(connection: Connection) -> None:
    connection.execute(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()"
    )


def slots(connection: Connection) -> list[str]:
    found = connection.execute("SELECT slot_name FROM pg_replication_slots WHERE database = current_database()")
    return [name for (name,) in found]


def keep_a_shard(connection: Connection) -> None:
    """A relay that does not let go, since Kafka does not take what it has sent."""
    connection.execute("UPDATE relay_shards SET owner = %s, expires_at = 'infinity' WHERE shard = 7", [uuid4()])


def leave_a_slot_over(connection: Connection) -> str:
    """What a hand-over leaves behind that was killed."""
    name = f"eventlib_outbox_{log_id(connection).hex[:12]}_0badcafe"
    connection.execute(query("cdc_slot_create"), {"slot": name})
    return name


@pytest.mark.parametrize("at", ["relay", "cdc"])
def test_a_hand_over_that_is_interrupted_leaves_the_publishing_with_the_relays_and_no_slot(
    cdc_store: Store, at: str
) -> None:
    if at == "relay":
        execute(cdc_store, uuid4(), *CART)  # nobody publishes it
    else:
        keep_a_shard(cdc_store.connection)

    def interrupt() -> None:
        assert publisher(cdc_store.connection) == at and slots(cdc_store.connection)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hand_over_to_cdc(cdc_store.connection, interrupt)
    assert publisher(cdc_store.connection) == "relay" and not slots(cdc_store.connection)


def test_a_hand_over_that_fails_leaves_the_publishing_with_the_relays_and_no_slot(cdc_store: Store) -> None:
    keep_a_shard(cdc_store.connection)
    with pytest.raises(ServiceUnavailable, match=r"relays still wait for Kafka.*the relays go on publishing"):
        hand_over_to_cdc(cdc_store.connection)
    execute(cdc_store, uuid4(), *CART)
    with pytest.raises(ServiceUnavailable, match=r"still wait to be published.*the relays go on publishing"):
        hand_over_to_cdc(cdc_store.connection)
    assert publisher(cdc_store.connection) == "relay" and not slots(cdc_store.connection)


def test_a_slot_that_was_left_over_is_said_and_dropped(cdc_store: Store, tmp_path: Path) -> None:
    connect_worker = EmbeddedConnect(tmp_path)
    name = leave_a_slot_over(cdc_store.connection)
    (problem,) = cdc_status(cdc_store.connection, connect_worker).problems
    assert name in problem and "`eventlib cdc down` drops it" in problem
    assert not cdc_down(cdc_store.connection, connect_worker)
    assert not slots(cdc_store.connection) and not cdc_status(cdc_store.connection, connect_worker).problems
    # A new hand-over drops it as well, and has a slot with a name of its own.
    leave_a_slot_over(cdc_store.connection)
    new = hand_over_to_cdc(cdc_store.connection)
    assert slots(cdc_store.connection) == [new] == [slot_status(cdc_store.connection).name] and new != name
    assert cdc_down(cdc_store.connection, connect_worker) and not slots(cdc_store.connection)


def test_every_slot_has_a_name_of_its_own_under_which_its_offsets_are_kept(
    cdc_store: Store, database_url: str, tmp_path: Path
) -> None:
    prefixes = set()
    for _ in range(2):
        slot = hand_over_to_cdc(cdc_store.connection)
        config = cdc_config(cdc_store.connection, database_url, TOPIC_PARTITIONS)
        assert config["slot.name"] == slot
        prefixes.add(config["topic.prefix"])
        cdc_down(cdc_store.connection, EmbeddedConnect(tmp_path))
    assert len(prefixes) == 2
    with pytest.raises(ServiceUnavailable, match="run `eventlib cdc up --no-connect` first"):
        cdc_config(cdc_store.connection, database_url, TOPIC_PARTITIONS)


def test_one_hand_over_at_a_time(
    cdc_store: Store, other_connection: Connection, database_url: str, kafka: KafkaAddress, tmp_path: Path
) -> None:
    cdc_down(other_connection, EmbeddedConnect(tmp_path))
    with pytest.raises(ServiceUnavailable, match="another `eventlib cdc up`"):
        cdc_up(cdc_store.connection, None, database_url, kafka, ["order"], TOPIC_PARTITIONS)


def test_of_a_lost_slot_nothing_is_lost(own_server: str, kafka: KafkaAddress, tmp_path: Path) -> None:
    connect_worker = EmbeddedConnect(tmp_path)
    with scratch_database(own_server, STORE_PARTITIONS) as url, Store.open(url) as store:
        connection = store.connection
        hand_over_to_cdc(connection)
        orders = [uuid4() for _ in range(3)]
        with connect(url) as other:
            relay = Relay(other, kafka, TOPIC_PARTITIONS)
            relay.publish_batch()  # looks at the outbox, and cleans it as far as the slot is confirmed
            for order_id in orders:
                execute(store, order_id, *CART)
            connection.execute("ALTER SYSTEM SET max_slot_wal_keep_size TO '1MB'")
            connection.execute("SELECT pg_reload_conf()")
            for _ in range(4):
                connection.execute("SELECT pg_logical_emit_message(false, 'filling', 'the log')")
                connection.execute("SELECT pg_switch_wal()")
            connection.execute("CHECKPOINT")
            wait_for(lambda: slot_status(connection).wal_status == "lost")
            assert any(
                "is lost: `eventlib cdc down`" in problem for problem in cdc_status(connection, connect_worker).problems
            )
            with pytest.raises(ServiceUnavailable, match="is lost: `eventlib cdc down`"):
                cdc_up(connection, None, url, kafka, ["order"], TOPIC_PARTITIONS)
            assert relay.publish_batch() == 0 and outbox_status(connection).depth == 3 * len(CART)
            assert cdc_down(connection, connect_worker) and not slots(connection)
            assert relay.publish_batch() == 3 * len(CART) and outbox_status(connection).depth == 0
            relay.close()
        drop_slots(connection)
        connection.execute("ALTER SYSTEM RESET max_slot_wal_keep_size")
    found = versions_of(messages_of(kafka))
    assert found == {str(order_id): list(range(1, len(CART) + 1)) for order_id in orders}


def test_who_may_not_bound_what_the_server_keeps_is_told(own_server: str, kafka: KafkaAddress, tmp_path: Path) -> None:
    role = f"shop_{uuid4().hex[:8]}"
    with connect(own_server) as connection:
        connection.execute("SELECT pg_reload_conf()")
        connection.execute(f"CREATE ROLE {role} LOGIN REPLICATION CREATEDB")
        connection.execute(f"GRANT {role} TO postgres")
    url = own_server.replace("user=postgres", f"user={role}")
    with scratch_database(url, STORE_PARTITIONS) as shop:
        environment = {
            "EVENTLIB_DATABASE_URL": shop,
            "EVENTLIB_DATABASE_OWNER_URL": shop,
            "EVENTLIB_KAFKA_BOOTSTRAP": kafka.bootstrap,
            "EVENTLIB_STATE_DIR": str(tmp_path),
        }
        up = eventlib(environment, "cdc", "up", "--no-connect")
        try:
            assert up.returncode == 0 and "set max_slot_wal_keep_size, such as to 4GB" in up.stderr, up.stderr
            assert "kept without bound" in eventlib(environment, "cdc", "status").stdout
        finally:
            assert eventlib(environment, "cdc", "down").returncode == 0


def test_nothing_is_parked_while_change_data_capture_publishes(
    cdc_store: Store, eventlib_environment: dict[str, str]
) -> None:
    hand_over_to_cdc(cdc_store.connection)
    order_id = str(uuid4())
    refused = eventlib(eventlib_environment, "outbox", "park", order_id, "--reason", "a look first")
    assert refused.returncode == 1 and f"{order_id} is not parked" in refused.stderr and "parked" not in refused.stdout
    assert not outbox_status(cdc_store.connection).held
    hand_over_to_relays(cdc_store.connection)
    parked = eventlib(eventlib_environment, "outbox", "park", order_id, "--reason", "a look first")
    assert parked.returncode == 0 and f"{order_id} is parked" in parked.stdout


def test_what_is_held_back_keeps_the_relays_publishing(cdc_store: Store) -> None:
    parked = uuid4()
    held.park(cdc_store.connection, parked, "asked to")
    with pytest.raises(ServiceUnavailable, match="aggregates are held back, and Debezium holds nothing back"):
        hand_over_to_cdc(cdc_store.connection)
    assert publisher(cdc_store.connection) == "relay" and slots(cdc_store.connection) == []
    cdc_store.connection.execute("DELETE FROM outbox_held")
    hand_over_to_cdc(cdc_store.connection)
    assert publisher(cdc_store.connection) == "cdc"
