"""Topics that are only just there: a busy broker refuses the first request for one and takes the second."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

import pytest

from eventlib.orders.commands import AddItem, PlaceOrder
from eventlib.outbox.relay import Relay
from eventlib.store.connection import Connection
from eventlib.store.event_store import Store
from eventlib.streaming.clients import KafkaAddress
from tests.conftest import TOPIC_PARTITIONS, delete_topics
from tests.messages import messages_of, versions_of
from tests.orders import USER, execute

pytestmark = pytest.mark.drill

TOPICS = 40
ORDERS = 6
AT_MOST_S = 300


@pytest.fixture
def busy() -> Iterator[None]:
    """More work than the machine has processors."""
    spin = f"import time\nend = time.monotonic() + {AT_MOST_S}\nwhile time.monotonic() < end: pass"
    spinning = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range((os.cpu_count() or 1) + 1)]
    yield
    for one in spinning:
        one.kill()
        one.wait()


@pytest.mark.usefixtures("busy")
def test_nothing_is_lost_or_out_of_order_in_a_topic_that_is_only_just_there(
    store: Store, other_connection: Connection, kafka: KafkaAddress
) -> None:
    small_batches = KafkaAddress(kafka.bootstrap, {"message.max.bytes": "2000"})
    for _ in range(TOPICS):
        orders = [uuid4() for _ in range(ORDERS)]
        for order_id in orders:
            execute(store, order_id, PlaceOrder(USER, "EUR"), *(AddItem(sku * 500, 1, 1, "me") for sku in "xyz"))
        relay = Relay(other_connection, small_batches, TOPIC_PARTITIONS)
        assert relay.publish_batch() == 4 * ORDERS
        relay.close()
        published = versions_of(messages_of(kafka))
        in_order = {order_id: list(dict.fromkeys(versions)) for order_id, versions in published.items()}
        assert in_order == {str(order_id): [1, 2, 3, 4] for order_id in orders}
        delete_topics(kafka)
