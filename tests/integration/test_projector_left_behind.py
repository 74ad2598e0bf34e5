"""What a projector cannot take parks its aggregate and nobody else; and how it comes back."""

from __future__ import annotations

import random
import string
import threading
from dataclasses import replace
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from psycopg import sql

from eventlib.errors import TableNotReady
from eventlib.events import Recorded
from eventlib.orders.order import Order, evolve
from eventlib.orders.projections import ORDER_PROJECTIONS
from eventlib.outbox.relay import Relay
from eventlib.projections.parking import Poison, Replayed, park, parked, replay_parked
from eventlib.projections.projector import Projector
from eventlib.projections.rebuild import rebuild
from eventlib.projections.reconcile import reconcile, verify
from eventlib.store.connection import connect
from eventlib.store.event_store import Store
from eventlib.store.scan import partitions
from eventlib.streaming.clients import KafkaAddress
from tests.conftest import TOPIC_PARTITIONS
from tests.messages import messages_of, versions_of
from tests.orders import CART, execute
from tests.processes import eventlib
from tests.projecting import OrderProjector, published
from tests.waiting import wait_for


def test_a_poison_event_parks_its_aggregate_until_the_fold_is_mended(
    store: Store, relay: Relay, kafka: KafkaAddress
) -> None:
    def fold(order: Order, recorded: Recorded[Any]) -> Order:
        if recorded.aggregate_id == poisoned and recorded.version == 3:
            raise KeyError("sku")
        return evolve(order, recorded.event)

    poisoned, healthy = uuid4(), uuid4()
    for order_id in (poisoned, healthy):
        execute(store, order_id, *CART[:5])
    relay.publish_batch()
    broken = replace(ORDER_PROJECTIONS, fold=fold, evolve=None)
    projector = Projector(store.connection, kafka, TOPIC_PARTITIONS, broken)
    projector.apply(messages_of(kafka))
    (dead,) = parked(store.connection)
    assert (dead.aggregate_id, dead.version, dead.attempts) == (poisoned, 3, 1) and "KeyError('sku')" in dead.error
    assert reconcile(store, ORDER_PROJECTIONS, poisoned).projected_version == 2
    assert reconcile(store, ORDER_PROJECTIONS, healthy).projected_version == 5
    for order_id in (poisoned, healthy):
        execute(store, order_id, *CART[5:])
    relay.publish_batch()
    projector.apply(messages_of(kafka))
    assert reconcile(store, ORDER_PROJECTIONS, poisoned).projected_version == 2
    assert reconcile(store, ORDER_PROJECTIONS, healthy).projected_version == 6
    (again,) = replay_parked(store, broken)
    assert again.version == 2 and "version 3 cannot be folded" in str(again.error)
    assert [one.attempts for one in parked(store.connection)] == [2]
    assert list(replay_parked(store, ORDER_PROJECTIONS)) == [Replayed(poisoned, 6, None)]
    assert parked(store.connection) == [] and verify(store, ORDER_PROJECTIONS).equal == 2


def test_a_row_that_the_table_refuses_parks_its_aggregate_and_no_other(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector
) -> None:
    orders = [uuid4() for _ in range(5)]
    for order_id in orders:
        execute(store, order_id, *CART)
    store.connection.execute(
        sql.SQL("ALTER TABLE order_projections ADD CHECK (order_id <> {})").format(sql.Literal(orders[2]))
    )
    relay.publish_batch()
    projector.apply(messages_of(kafka))
    assert [(one.aggregate_id, one.version) for one in parked(store.connection)] == [(orders[2], 1)]
    result = verify(store, ORDER_PROJECTIONS)
    assert (result.equal, result.missing) == (4, [orders[2]])


def test_a_state_that_cannot_be_read_parks_its_aggregate_and_no_other(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector
) -> None:
    damaged, healthy = uuid4(), uuid4()
    for order_id in (damaged, healthy):
        execute(store, order_id, *CART[:3])
    relay.publish_batch()
    projector.apply(messages_of(kafka))
    store.connection.execute("UPDATE order_projections SET snapshot = '{\"status\": 5}' WHERE order_id = %s", [damaged])
    for order_id in (damaged, healthy):
        execute(store, order_id, *CART[3:])
    relay.publish_batch()
    projector.apply(messages_of(kafka))
    (dead,) = parked(store.connection)
    assert (dead.aggregate_id, dead.version) == (damaged, 4) and "run `eventlib projections rebuild" in dead.error
    assert reconcile(store, ORDER_PROJECTIONS, healthy).projected_version == len(CART)
    (again,) = replay_parked(store, ORDER_PROJECTIONS)
    assert again.version == 3 and "cannot be read" in str(again.error) and len(parked(store.connection)) == 1
    projector.apply(messages_of(kafka))


def test_a_row_too_large_for_an_index_parks_its_aggregate_and_no_other(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector
) -> None:
    large, small = uuid4(), uuid4()
    store.connection.execute("CREATE INDEX ON order_projections ((snapshot ->> 'currency'))")
    for order_id in (large, small):
        execute(store, order_id, *CART)
    relay.publish_batch()
    noise = "".join(random.choices(string.printable, k=9_000))
    oversized = replace(
        ORDER_PROJECTIONS,
        evolve=lambda order, event: msgspec.structs.replace(evolve(order, event), currency=noise),
        row=lambda one, order, version: ORDER_PROJECTIONS.row_of(
            one, order if one == large else msgspec.structs.replace(order, currency="EUR"), version
        ),
    )
    Projector(store.connection, kafka, TOPIC_PARTITIONS, oversized).apply(messages_of(kafka))
    (dead,) = parked(store.connection)
    assert dead.aggregate_id == large and "the table refuses its row: index row" in dead.error
    (again,) = replay_parked(store, oversized)
    assert "index row" in str(again.error) and reconcile(store, ORDER_PROJECTIONS, small).projected_version == len(CART)


def test_a_hole_in_the_log_parks_its_aggregate_and_no_other(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector
) -> None:
    broken, healthy = published(store, relay, 2)
    for table in ("event_store", *partitions(store.connection)):
        store.connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER ALL").format(sql.Identifier(table)))
    store.connection.execute("DELETE FROM event_store WHERE aggregate_id = %s AND version = 5", [broken])
    messages = [one for one in messages_of(kafka) if versions_of([one]) != {str(broken): [5]}]
    projector.apply(messages)
    (dead,) = parked(store.connection)
    assert (dead.aggregate_id, dead.version) == (broken, 5) and "the log has no version 5" in dead.error
    assert reconcile(store, ORDER_PROJECTIONS, healthy).projected_version == len(CART)


def test_what_is_not_parked_is_not_replayed(
    store: Store, relay: Relay, projector: OrderProjector, kafka: KafkaAddress, eventlib_environment: dict[str, str]
) -> None:
    parked_one, other = published(store, relay, 2)
    park(store.connection, "order_projections", [Poison(parked_one, 1, "here", "a test")])
    said = eventlib(eventlib_environment, "projections", "replay", "order_projections", str(other))
    assert (said.returncode, said.stdout) == (1, f"{other} is not parked: nothing was done\n")
    said = eventlib(eventlib_environment, "projections", "replay", "order_projections", str(parked_one))
    assert (said.returncode, said.stdout) == (0, f"{parked_one} is at version {len(CART)}\n")
    assert eventlib(eventlib_environment, "projections", "replay", "order_projections").returncode == 0


def test_a_replay_writes_nothing_into_a_table_of_another_version(store: Store, relay: Relay) -> None:
    (order_id,) = published(store, relay)
    park(store.connection, "order_projections", [Poison(order_id, 1, "here", "a test")])
    with pytest.raises(TableNotReady, match="made by version 1 of it, and this is version 2"):
        list(replay_parked(store, replace(ORDER_PROJECTIONS, version=2)))
    assert len(parked(store.connection)) == 1 and verify(store, ORDER_PROJECTIONS).missing == [order_id]


def test_a_replay_that_a_cut_over_has_overtaken_claims_nothing(store: Store, relay: Relay, database_url: str) -> None:
    first, second = published(store, relay, 2)
    for order_id in (first, second):
        park(store.connection, "order_projections", [Poison(order_id, 1, "here", "a test")])
    replayed = replay_parked(store, ORDER_PROJECTIONS)
    assert next(replayed).version == len(CART)
    rebuild(database_url, ORDER_PROJECTIONS, processes=1)
    (rest,) = replayed
    assert (rest.version, rest.error, parked(store.connection, "order_projections")) == (None, None, [])


def test_whoever_catches_up_waits_for_a_projector_that_skips(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector, database_url: str
) -> None:
    (order_id,) = published(store, relay)
    park(store.connection, "order_projections", [Poison(order_id, 1, "here", "a test")])
    with Store.open(database_url) as other, connect(database_url) as looker:
        thread = threading.Thread(target=lambda: list(replay_parked(other, ORDER_PROJECTIONS)))
        with store.connection.transaction():
            projector.apply(messages_of(kafka))  # skips the order, in a transaction that is still open
            thread.start()
            waits = (
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            wait_for(lambda: looker.execute(waits).fetchall() == [(1,)])
        thread.join(20)
    assert verify(store, ORDER_PROJECTIONS).equal == 1
