"""Real servers for the tests: one embedded PostgreSQL for the session, one fresh database a test."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from eventlib.embedded.kafka import EmbeddedKafka
from eventlib.embedded.postgres import EmbeddedPostgres
from eventlib.orders.order import Order
from eventlib.orders.projections import ORDER_PROJECTIONS, PROJECTIONS
from eventlib.outbox.relay import Relay
from eventlib.projections.projector import Projector
from eventlib.projections.tables import ensure_tables
from eventlib.settings import CONFIG_VARIABLE, PREFIX
from eventlib.store.connection import Connection, connect
from eventlib.store.event_store import Store
from eventlib.store.scratch_database import scratch_database
from eventlib.streaming.clients import KafkaAddress, reach
from tests.push_service import PushService, push_service

# A slow machine is no failure; and what runs before a change lands finds the same each time.
hypothesis.settings.register_profile("eventlib", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("eventlib")

STORE_PARTITIONS = 4
TOPIC_PARTITIONS = 3


@pytest.fixture(scope="session", autouse=True)
def no_settings_from_outside() -> None:
    """The tests bring their own servers: what the caller has set for eventlib is not theirs."""
    for variable in list(os.environ):
        if variable.startswith(PREFIX):
            del os.environ[variable]
    os.environ.pop(CONFIG_VARIABLE, None)


@pytest.fixture(scope="session")
def state_dir() -> Iterator[Path]:
    """A state folder outside of pytest's own, which is closed to the system user that PostgreSQL runs as under root."""
    folder = Path(tempfile.mkdtemp(prefix="eventlib-test-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def server_url(state_dir: Path) -> Iterator[str]:
    """A PostgreSQL on which databases may be created: the embedded one, unless TEST_DATABASE_URL names another."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    server = EmbeddedPostgres(state_dir)
    server.start()
    yield server.owner_url
    server.stop()


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    """A database without a schema, dropped after the test."""
    with scratch_database(server_url) as url:
        yield url


@pytest.fixture
def store_partitions() -> int:
    """Of the log in `database_url`."""
    return STORE_PARTITIONS


@pytest.fixture
def database_url(server_url: str, store_partitions: int) -> Iterator[str]:
    """A database with the schema and no events, dropped after the test."""
    with scratch_database(server_url, store_partitions) as url:
        with connect(url) as connection:
            ensure_tables(connection, PROJECTIONS)
        yield url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store.open(database_url) as opened:
        yield opened


@pytest.fixture(scope="session")
def broker(state_dir: Path) -> Iterator[EmbeddedKafka]:
    server = EmbeddedKafka(state_dir)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def kafka(broker: EmbeddedKafka) -> Iterator[KafkaAddress]:
    """The broker without any topic of eventlib; those made meanwhile are deleted after the test."""
    address = KafkaAddress(broker.bootstrap)
    yield address
    delete_topics(address)


@pytest.fixture
def other_connection(database_url: str) -> Iterator[Connection]:
    """A connection beside that of `store`."""
    with connect(database_url) as connection:
        yield connection


@pytest.fixture
def relay(other_connection: Connection, kafka: KafkaAddress) -> Relay:
    """A relay between this test's servers, which publishes when it is told to."""
    return Relay(other_connection, kafka, TOPIC_PARTITIONS)


@pytest.fixture
def projector(store: Store, kafka: KafkaAddress) -> Projector[Order]:
    """A projector of `order_projections` on the connection of `store`."""
    return Projector(store.connection, kafka, TOPIC_PARTITIONS, ORDER_PROJECTIONS)


def delete_topics(address: KafkaAddress) -> None:
    """Delete all topics but Kafka's own, and wait until they are gone."""
    admin = reach(address)

    def topics() -> list[str]:
        return [name for name in admin.list_topics(timeout=10).topics if not name.startswith("__")]

    for deleted in (admin.delete_topics(topics(), operation_timeout=10) if topics() else {}).values():
        deleted.result()
    Retrying(retry=retry_if_result(bool), stop=stop_after_delay(10), wait=wait_fixed(0.05))(topics)


@pytest.fixture
def phone() -> Iterator[PushService]:
    """The far end of pushes."""
    with push_service() as service:
        yield service


@pytest.fixture
def eventlib_environment(database_url: str, kafka: KafkaAddress, state_dir: Path) -> dict[str, str]:
    """The environment of a process that is to work on this test's servers."""
    return {
        **os.environ,
        "EVENTLIB_DATABASE_URL": database_url,
        "EVENTLIB_KAFKA_BOOTSTRAP": kafka.bootstrap,
        "EVENTLIB_STATE_DIR": str(state_dir),
        "EVENTLIB_TOPIC_PARTITIONS": str(TOPIC_PARTITIONS),
    }
