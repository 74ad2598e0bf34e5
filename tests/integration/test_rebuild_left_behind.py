"""Rebuilds that meet an event or a row that cannot be taken: its aggregate is left behind, and nobody else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from eventlib.orders.projections import ORDER_PROJECTIONS, ORDER_TRACKING
from eventlib.projections.parking import parked, replay_parked
from eventlib.projections.rebuild import rebuild, rebuilding, rollback
from eventlib.projections.rebuild.cut_over import cut_over
from eventlib.projections.tables import check_table
from eventlib.store.event_store import Store
from eventlib.store.scan import partitions
from tests.conftest import STORE_PARTITIONS
from tests.orders import CART, execute
from tests.processes import eventlib
from tests.rebuilt import holds, ordered, poisoned


def test_a_rollback_brings_what_the_new_fold_has_left_behind(store: Store, database_url: str) -> None:
    (order_id,) = ordered(store, 1)
    rebuild(database_url, poisoned(ORDER_PROJECTIONS, order_id, 1), even_if_parked=True)
    rollback(database_url, ORDER_PROJECTIONS)
    assert holds(store, ORDER_PROJECTIONS, 1) and not parked(store.connection)


def test_poison_leaves_its_aggregate_behind_and_a_rebuild_with_a_mended_fold_brings_it_back(
    store: Store, database_url: str
) -> None:
    first, second, third = ordered(store, 3)
    store.connection.execute("ALTER TABLE order_projections ADD CHECK (item_count < 5)")
    strict = replace(
        ORDER_PROJECTIONS, definition=ORDER_PROJECTIONS.definition.rstrip().rstrip(")") + ", CHECK (item_count < 5))"
    )
    execute(store, uuid4(), *CART[:1], *[command for command in CART[1:2] for _ in range(4)])
    done = rebuild(database_url, poisoned(strict, second, 4), even_if_parked=True)
    assert (done.rows, done.events, done.parked) == (3, 3 * len(CART) + 5, 2)
    (at_event, at_row) = sorted(parked(store.connection, "order_projections"), key=lambda one: -one.version)
    assert (at_event.aggregate_id, at_event.version) == (second, 4) and "KeyError" in at_event.error
    assert "the table refuses its row" in at_row.error and "item_count_check" in at_row.error
    rows = dict(store.connection.execute("SELECT order_id, last_event_version FROM order_projections").fetchall())
    assert rows == {first: len(CART), second: 3, third: len(CART)}
    assert [one.error is None for one in replay_parked(store, strict, [second])] == [True]
    assert rebuild(database_url, ORDER_PROJECTIONS).parked == 0 and holds(store, ORDER_PROJECTIONS, 4)
    assert parked(store.connection) == []  # the table that was replaced is nobody's trouble
    # What the old table had left behind belongs to it, and comes back with it.
    rollback(database_url, ORDER_PROJECTIONS)
    assert [one.aggregate_id for one in parked(store.connection, "order_projections")] == [at_row.aggregate_id]


def test_a_fold_that_leaves_more_behind_than_the_present_one_does_not_take_its_place(
    store: Store, database_url: str
) -> None:
    first, second = ordered(store, 2)
    rebuild(database_url, ORDER_PROJECTIONS, processes=1)
    worse = replace(poisoned(ORDER_PROJECTIONS, second, 3), version=2)
    done = rebuild(database_url, worse, processes=1)
    assert (done.cut_over, done.parked, done.parked_before) == (False, 1, 0)
    assert done.comparison and (done.comparison.equal, done.comparison.older, done.comparison.newer) == (1, 1, 0)
    assert holds(store, ORDER_PROJECTIONS, 2) and check_table(store.connection, ORDER_PROJECTIONS).generation == 2
    done = rebuild(database_url, worse, processes=1, even_if_parked=True)
    assert (done.cut_over, done.parked, done.resumed) == (True, 1, STORE_PARTITIONS)
    # One that leaves no more behind than the present one takes its place.
    other = replace(poisoned(ORDER_PROJECTIONS, first, 3), version=3)
    done = rebuild(database_url, other, processes=1)
    assert (done.cut_over, done.parked, done.parked_before) == (True, 1, 1)


def test_what_cannot_be_taken_while_readers_wait_counts_too(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = uuid4()

    def cut_over_late(*given: Any, **options: Any) -> bool:
        execute(store, late, *CART)
        return cut_over(*given, **options)

    monkeypatch.setattr(rebuilding, "cut_over", cut_over_late)
    done = rebuild(database_url, poisoned(ORDER_PROJECTIONS, late, 3), processes=1)
    assert (done.cut_over, done.parked) == (False, 1)


def test_the_command_line_says_why_readers_go_on_with_the_old_table(
    store: Store, eventlib_environment: dict[str, str]
) -> None:
    (order_id,) = ordered(store, 1)
    for table in ("event_store", *partitions(store.connection)):
        store.connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
    store.connection.execute("UPDATE event_store SET event_type = 'Unheard' WHERE version = 3")
    refused = eventlib(eventlib_environment, "projections", "rebuild", "my_orders")
    assert refused.returncode == 1 and "--even-if-parked" in refused.stderr
    assert str(order_id) in eventlib(eventlib_environment, "projections", "parked").stdout
    told = eventlib(eventlib_environment, "projections", "rebuild", "my_orders", "--json")
    assert told.returncode == 1 and json.loads(told.stdout)["cut_over"] is False
    done = eventlib(eventlib_environment, "projections", "rebuild", "my_orders", "--even-if-parked")
    assert done.returncode == 1 and "the old table is kept" in done.stdout
    assert store.connection.execute("SELECT last_event_version FROM my_orders").fetchall() == [(2,)]


def test_an_event_that_nobody_can_read_and_a_hole_leave_their_aggregates_behind(
    store: Store, database_url: str
) -> None:
    good, unreadable, broken = ordered(store, 3)
    for table in ("event_store", *partitions(store.connection)):
        store.connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
    store.connection.execute(
        "UPDATE event_store SET event_type = 'Unheard' WHERE aggregate_id = %s AND version = 3", [unreadable]
    )
    store.connection.execute("DELETE FROM event_store WHERE aggregate_id = %s AND version = 5", [broken])
    for projection in (ORDER_PROJECTIONS, ORDER_TRACKING):
        done = rebuild(database_url, projection, even_if_parked=True)
        assert {one.aggregate_id: one.version for one in parked(store.connection, projection.name)} == {
            unreadable: 3,
            broken: 5,
        }
        rows = dict(store.connection.execute(f"SELECT order_id, last_event_version FROM {projection.name}").fetchall())
        assert rows == {good: len(CART), unreadable: 2, broken: 4} and (done.parked, done.rows) == (2, 3)
