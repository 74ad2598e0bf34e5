"""Every read model is what its fold says of the log, and what is not is found."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import sql

from eventlib.events import Event
from eventlib.orders import ORDER
from eventlib.orders import events as e
from eventlib.orders.projections import ORDER_PROJECTIONS, PROJECTIONS
from eventlib.outbox.relay import Relay
from eventlib.projection import Projection
from eventlib.projections.applying import apply_events
from eventlib.projections.projector import Projector
from eventlib.projections.rebuild import rebuild
from eventlib.projections.rebuild.catching_up import Logged
from eventlib.projections.reconcile import reconcile, verify
from eventlib.store.event_store import Store
from eventlib.store.scan import partitions
from eventlib.streaming.clients import KafkaAddress
from tests.conftest import TOPIC_PARTITIONS
from tests.messages import messages_of, versions_of
from tests.orders import CART, USER, execute, metadata
from tests.processes import eventlib
from tests.projecting import OrderProjector, published


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
def test_every_read_model_is_what_its_fold_says(
    store: Store, relay: Relay, kafka: KafkaAddress, projection: Projection[Any]
) -> None:
    for number in range(1, len(CART) + 1):
        execute(store, uuid4(), *CART[:number])
    relay.publish_batch()
    Projector(store.connection, kafka, TOPIC_PARTITIONS, projection).apply(messages_of(kafka))
    result = verify(store, projection)
    assert (result.aggregates, result.equal, result.behind, result.orphans) == (len(CART), len(CART), 0, [])


# Names of different lengths, in an order that jsonb would change.
NAMES = st.sampled_from(["WIDGET-42", "LAMP-7", "A", "ZZ"])


EVENTS = st.one_of(
    st.sampled_from(ORDER.examples),
    st.builds(e.OrderItemAdded, NAMES, st.integers(1, 3), st.integers(0, 10_000), st.just("me")),
    st.builds(e.OrderItemRemoved, NAMES, st.just("me")),
    st.builds(e.PaymentAuthorized, NAMES, st.just("visa"), st.integers(1, 10_000)),
)


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(EVENTS, min_size=5, max_size=15))
@example(
    history=[e.OrderItemAdded("WIDGET-42", 1, 1, "me"), e.OrderItemAdded("LAMP-7", 1, 1, "me"), e.OrderSubmitted(2)]
)
def test_events_that_come_one_by_one_make_the_row_that_the_log_says(
    store: Store, projection: Projection[Any], history: list[Event]
) -> None:
    # Whatever is in the log: decide has not made these, and evolve takes any event in any state.
    order_id = uuid4()
    store.append(ORDER, order_id, 0, history, metadata())
    for stored in store.read_stored(ORDER, order_id):
        with store.connection.transaction():
            apply_events(store, projection, [Logged(stored)])
    compared = reconcile(store, projection, order_id)
    assert compared.projected_version == len(history) and not compared.differing


def test_the_verification_leaves_no_id_out(store: Store, database_url: str) -> None:
    for order_id in (UUID(int=0), UUID(int=2**128 - 1)):
        execute(store, order_id, *CART)
    rebuild(database_url, ORDER_PROJECTIONS, processes=1)
    store.connection.execute("UPDATE order_projections SET status = 'paid'")
    assert {row.aggregate_id for row in verify(store, ORDER_PROJECTIONS).differing} == {
        UUID(int=0),
        UUID(int=2**128 - 1),
    }


def test_verification_finds_what_was_tampered_with(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector
) -> None:
    changed, missing, orphan = uuid4(), uuid4(), uuid4()
    execute(store, changed, *CART)
    execute(store, missing, *CART)
    relay.publish_batch()
    projector.apply(messages_of(kafka))
    store.connection.execute("UPDATE order_projections SET total_cents = 1 WHERE order_id = %s", [changed])
    store.connection.execute("UPDATE order_projections SET order_id = %s WHERE order_id = %s", [orphan, missing])
    result = verify(store, ORDER_PROJECTIONS)
    assert result.missing == [missing] and result.orphans == [orphan] and result.equal == 0
    (difference,) = result.differing
    assert [(one.name, one.folded, one.projected) for one in difference.differing] == [("total_cents", 3488, 1)]


def test_a_verification_names_what_it_cannot_compare_and_goes_on(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector, eventlib_environment: dict[str, str]
) -> None:
    good, unreadable, holed, later = published(store, relay, 4)
    messages = messages_of(kafka)
    projector.apply([one for one in messages if str(later) not in versions_of([one])])
    projector.apply([one for one in messages if str(later) in versions_of([one])][:3])
    for table in ("event_store", *partitions(store.connection)):
        store.connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER ALL").format(sql.Identifier(table)))
    unheard = "UPDATE event_store SET event_type = 'Unheard' WHERE aggregate_id = ANY(%s) AND version = 5"
    store.connection.execute(unheard, [[unreadable, later]])
    store.connection.execute("DELETE FROM event_store WHERE aggregate_id = %s AND version = 2", [holed])
    result = verify(store, ORDER_PROJECTIONS)
    # What comes after the version that a row claims need not be readable.
    assert (result.aggregates, result.equal, result.behind, result.differing) == (4, 2, 1, [])
    assert "Unheard" in result.unreadable[unreadable] and "has no version 2" in result.unreadable[holed]
    said = eventlib(eventlib_environment, "projections", "verify", "--json")
    assert said.returncode == 1 and set(json.loads(said.stdout)["unreadable"]) == {str(unreadable), str(holed)}
    assert f"{holed} cannot be compared" in said.stderr
    assert reconcile(store, ORDER_PROJECTIONS, later).differing == [] and good not in result.unreadable


def test_json_of_the_snapshot_column_is_the_state(
    store: Store, relay: Relay, kafka: KafkaAddress, projector: OrderProjector
) -> None:
    published(store, relay)
    projector.apply(messages_of(kafka))
    (snapshot,) = store.connection.execute("SELECT snapshot::text FROM order_projections").fetchall()[0]
    assert json.loads(snapshot)["lines"] == {"WIDGET-42": {"quantity": 2, "unit_price_cents": 1499}}
    assert UUID(json.loads(snapshot)["user_id"]) == USER
