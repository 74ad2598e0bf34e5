"""A fold in SQL is the fold in Python, or steps back for it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlib.aggregate import Aggregate
from eventlib.events import Event
from eventlib.orders import ORDER
from eventlib.orders import events as e
from eventlib.orders.projections import ORDER_TRACKING
from eventlib.projections.parking import parked
from eventlib.projections.rebuild import loading, rebuild
from eventlib.projections.rebuild.build import begin
from eventlib.projections.rebuild.loading import load_part
from eventlib.store.connection import connect
from eventlib.store.event_store import Store
from eventlib.store.scan import partitions
from tests.conftest import STORE_PARTITIONS
from tests.orders import metadata
from tests.rebuilt import holds, ordered


def test_a_fold_in_sql_that_does_not_work_is_named(
    store: Store, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    ordered(store, 1)
    typo = replace(ORDER_TRACKING, sql_fold="SELECT nonsense FROM {partition}")
    assert rebuild(database_url, typo, processes=1).parked == 0 and holds(store, ORDER_TRACKING, 1)
    assert len(caplog.messages) == STORE_PARTITIONS
    assert all("loaded again in a slower way: column" in message for message in caplog.messages)
    caplog.clear()
    rebuild(database_url, ORDER_TRACKING, processes=1)
    assert not caplog.messages


OCCURRED = st.none() | st.datetimes(timezones=st.just(UTC))


HISTORIES = st.lists(st.tuples(st.sampled_from(ORDER.examples), OCCURRED), min_size=1, max_size=12)


def append_all(
    store: Store, aggregate: Aggregate, histories: Sequence[Sequence[tuple[Event, datetime | None]]]
) -> None:
    for history in histories:
        order_id = uuid4()
        for version, (event, occurred_at) in enumerate(history):
            store.append(aggregate, order_id, version, [event], metadata(occurred_at=occurred_at))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories=st.lists(HISTORIES, min_size=1, max_size=5))
def test_a_fold_in_sql_is_the_fold_in_python(store: Store, database_url: str, histories: list[list]) -> None:
    # Whatever is in the log: decide has not made these, and evolve takes any event in any state.
    append_all(store, ORDER, histories)
    store.connection.execute(
        "INSERT INTO event_store (aggregate_id, aggregate_type, event_type, schema_version, event_data, metadata, version) "
        "SELECT gen_random_uuid(), 'order', 'OrderCheckedOut', 1, "
        """'{"delivery_fee_cents": 490, "grand_total_cents": 3488}', metadata || '{"occurred_at": null}', 1 """
        "FROM event_store LIMIT 1"
    )
    with connect(database_url) as reader, connect(database_url) as writer:
        tables = []
        for projection in (ORDER_TRACKING, replace(ORDER_TRACKING, sql_fold=None)):
            build = begin(store.connection, projection, fresh=True)
            for partition in partitions(store.connection):
                if projection.sql_fold:  # not `load_part`, which would fold in Python what SQL cannot
                    loading._in_sql(writer, build.projection, partition, lambda events: None)
                else:
                    load_part(reader, writer, build.projection, partition, lambda events: None)
            rows = store.connection.execute(
                "SELECT to_jsonb(t) - 'projected_at' FROM order_tracking_new AS t ORDER BY order_id"
            ).fetchall()
            tables.append(rows)
    for in_sql, in_python in itertools.zip_longest(*tables):
        assert in_sql == in_python


@pytest.mark.parametrize("damage", ['{"carrier": 5, "tracking_number": "1"}', '{"carrier": "DHL"}', "null", "[]"])
def test_a_fold_in_sql_does_not_take_a_field_for_a_text_that_is_none(
    store: Store, database_url: str, damage: str
) -> None:
    good, bad = uuid4(), uuid4()
    for order_id in (good, bad):
        store.append(ORDER, order_id, 0, [e.OrderDelivered(), e.OrderShipped("DHL", "1")], metadata())
    for table in ("event_store", *partitions(store.connection)):
        store.connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
    store.connection.execute(
        "UPDATE event_store SET event_data = %s WHERE aggregate_id = %s AND version = 2", [damage, bad]
    )
    assert rebuild(database_url, ORDER_TRACKING, even_if_parked=True).parked == 1
    assert [(one.aggregate_id, one.version) for one in parked(store.connection)] == [(bad, 2)]
