"""What tests of projectors share: orders in the topic, and a projector that takes all of it."""

from __future__ import annotations

import threading
from uuid import UUID, uuid4

from eventlib.orders.order import Order
from eventlib.orders.projections import ORDER_PROJECTIONS
from eventlib.outbox.relay import Relay
from eventlib.pipeline.backlog import backlog
from eventlib.projections.projector import Projector
from eventlib.store.connection import connect
from eventlib.store.event_store import Store
from eventlib.streaming.clients import KafkaAddress, reach
from tests.orders import CART, execute
from tests.running import running

OrderProjector = Projector[Order]


def published(store: Store, relay: Relay, number: int = 1) -> list[UUID]:
    """The ids of so many new orders whose events are in the topic."""
    orders = [uuid4() for _ in range(number)]
    for order_id in orders:
        execute(store, order_id, *CART)
    relay.publish_batch()
    return orders


def project_all(store: Store, kafka: KafkaAddress, projector: OrderProjector) -> None:
    """Let the projector run until it has applied the whole topic."""
    admin = reach(kafka)
    with connect(store.connection.info.dsn) as looker, running(projector):
        for _ in range(300):
            if backlog(looker, admin, [ORDER_PROJECTIONS]).unapplied == {"order_projections": 0}:
                return
            threading.Event().wait(0.1)
    raise AssertionError("the projector has not caught up within 30 s")
