"""A simulation against a real database: what it says it did is what the log has."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from eventlib.errors import ConcurrencyError
from eventlib.events import Metadata
from eventlib.orders import ORDER
from eventlib.orders import commands as c
from eventlib.orders.simulation import SimulationSummary, plans, simulate
from eventlib.orders.simulation.overtaken_store import OvertakenStore
from eventlib.orders.simulation.plan import Plan, Race
from eventlib.store.event_store import Store
from eventlib.store.handle import handle

ORDERS, SEED, HOT = 60, 4, {"hot_orders": 2, "hot_events": 130}


@pytest.fixture
def rival(database_url: str) -> Iterator[Store]:
    with Store.open(database_url) as opened:
        yield opened


@pytest.fixture
def expected() -> list[Plan]:
    return list(plans(ORDERS, SEED, HOT["hot_orders"], HOT["hot_events"]))


def run(store: Store, rival: Store, **changed: Any) -> SimulationSummary:
    return simulate(store, rival, **{"orders": ORDERS, "seed": SEED, **HOT, **changed})


def logged(store: Store) -> tuple[int, int]:
    row = store.connection.execute("SELECT count(*), count(DISTINCT aggregate_id) FROM event_store").fetchone()
    assert row is not None
    return row[0], row[1]


def assert_log_is(store: Store, expected: list[Plan]) -> None:
    for plan in expected:
        recorded = list(store.read(ORDER, plan.order_id))
        assert [(one.event, one.metadata) for one in recorded] == list(plan.recorded)
        assert store.load(ORDER, plan.order_id).state == plan.state
    assert logged(store) == (sum(len(plan.recorded) for plan in expected), len(expected))


def test_the_log_has_exactly_what_was_planned_and_the_counts_are_true(
    store: Store, rival: Store, expected: list[Plan]
) -> None:
    advanced: list[int] = []
    summary = run(store, rival, advance=advanced.append)
    assert_log_is(store, expected)
    assert (summary.events, summary.orders) == logged(store)
    assert sum(advanced) == summary.orders == summary.written == ORDERS + 2
    assert summary.repeated == sum(plan.repeats for plan in expected) > 0
    assert summary.refused == sum(plan.refused for plan in expected) > 0
    assert summary.races_lost == sum(plan.races for plan in expected) > 0
    assert (summary.complete_before, summary.disturbed) == (0, ())
    assert summary.hot_order_ids == (expected[0].order_id, expected[1].order_id)
    assert [store.version(order_id) for order_id in summary.hot_order_ids] == [130, 130]
    interesting = next(plan for plan in expected if plan.order_id == summary.interesting_order_id)
    assert len(interesting.features) == max(len(plan.features) for plan in expected)


def test_a_second_run_adds_nothing(store: Store, rival: Store) -> None:
    first = run(store, rival)
    before = logged(store)
    advanced: list[int] = []
    second = run(store, rival, advance=advanced.append)
    assert logged(store) == before
    assert (second.written, second.commands, second.events) == (0, 0, 0)
    assert second.complete_before == sum(advanced) == first.orders
    assert (second.interesting_order_id, second.hot_order_ids) == (first.interesting_order_id, first.hot_order_ids)


class Interrupted(Exception):
    pass


def test_an_interrupted_run_is_taken_up(store: Store, rival: Store, expected: list[Plan]) -> None:
    def stop_after_twenty(_: int) -> None:
        stopped.append(1)
        if len(stopped) == 20:
            raise Interrupted

    stopped: list[int] = []
    with pytest.raises(Interrupted):
        run(store, rival, advance=stop_after_twenty)
    events_before = logged(store)[0]
    summary = run(store, rival)
    assert_log_is(store, expected)
    assert summary.events == logged(store)[0] - events_before > 0


def test_a_race_that_was_cut_in_half_is_taken_up(store: Store, rival: Store, expected: list[Plan]) -> None:
    plan, act = next((plan, act) for plan in expected for act in plan.acts if isinstance(act, Race) and act.events == 2)
    before = sum(other.events for other in plan.acts[: plan.acts.index(act)])
    events, metadata = zip(*plan.recorded[:before])
    store.append(ORDER, plan.order_id, 0, events, metadata)
    handle(store, ORDER, plan.order_id, act.winner.command, act.winner.metadata)
    run(store, rival)
    assert_log_is(store, expected)


def test_orders_interleave(store: Store, rival: Store) -> None:
    run(store, rival)
    rows = store.connection.execute("SELECT aggregate_id FROM event_store ORDER BY position").fetchall()
    changes = sum(one != other for one, other in itertools.pairwise(rows))
    assert changes > 5 * ORDERS


def test_races_were_really_lost(store: Store, rival: Store, expected: list[Plan]) -> None:
    """The winner's events come first in the log; the loser's follow, were decided anew, or were refused."""
    run(store, rival)
    outcomes = set()
    for plan in expected:
        at = {one.metadata.command_id: one.version for one in store.read(ORDER, plan.order_id)}
        for act in plan.acts:
            if isinstance(act, Race):
                winner, loser = at[act.winner.metadata.command_id], at.get(act.loser.metadata.command_id)
                assert loser is None or loser == winner + 1
                outcomes.add(loser is None)
    assert outcomes == {True, False}


def test_an_overtaken_append_fails_with_a_concurrency_error(store: Store, rival: Store, expected: list[Plan]) -> None:
    plan = expected[-1]
    (place, about), *_ = plan.recorded
    overtaken = OvertakenStore(store.connection)
    with (
        pytest.raises(ConcurrencyError, match="at version 1"),
        overtaken.overtaken_by(lambda: rival.append(ORDER, plan.order_id, 0, [place], about)),
    ):
        overtaken.append(ORDER, plan.order_id, 0, [place], about)
    assert overtaken.races_lost == 1


def test_who_is_not_overtaken_does_not_swallow_the_rival(store: Store) -> None:
    overtaken, called = OvertakenStore(store.connection), []
    with overtaken.overtaken_by(lambda: called.append(1)):
        pass
    assert called == [1]


def foreign_command(order_id: UUID, store: Store) -> None:
    by = Metadata(command_id=uuid4(), correlation_id=uuid4(), actor="somebody else")
    handle(store, ORDER, order_id, c.AddItem("FOREIGN", 1, 100, "somebody else"), by)


def assert_all_complete(store: Store, plans_of_others: list[Plan]) -> None:
    assert [store.version(plan.order_id) for plan in plans_of_others] == [
        len(plan.recorded) for plan in plans_of_others
    ]


def test_an_order_that_somebody_else_had_touched_is_given_up_and_named(
    store: Store, rival: Store, expected: list[Plan]
) -> None:
    hot, *others = expected
    (place, about), *_ = hot.recorded
    store.append(ORDER, hot.order_id, 0, [place], about)
    foreign_command(hot.order_id, store)
    summary = run(store, rival)
    assert summary.disturbed == (hot.order_id,)
    assert summary.written == len(others)
    assert store.version(hot.order_id) == 2
    assert_all_complete(store, others)


def test_a_hot_order_that_somebody_else_touches_meanwhile_is_given_up_and_named(store: Store, rival: Store) -> None:
    hot, *others = plans(ORDERS, SEED, 1, 2_000)
    touched: list[int] = []

    def touch_once(_: int) -> None:
        if not touched:
            foreign_command(hot.order_id, rival)
            touched.append(store.version(hot.order_id))

    summary = run(store, rival, hot_orders=1, hot_events=2_000, advance=touch_once)
    assert summary.disturbed == (hot.order_id,)
    assert touched == [store.version(hot.order_id)]
    assert_all_complete(store, others)
    assert summary.events == logged(store)[0] - 1


def test_both_stores_on_one_connection_are_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="connection of its own"):
        run(store, Store(store.connection))
