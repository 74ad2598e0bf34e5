"""The plans of a simulation: pure, legal, the same for the same seed."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from eventlib.codec import encode_event, encode_metadata
from eventlib.errors import DomainError
from eventlib.orders import ORDER
from eventlib.orders import events as e
from eventlib.orders.order import Status
from eventlib.orders.simulation import DEFAULT_EPOCH, plans
from eventlib.orders.simulation.hot_order import MIN_EVENTS
from eventlib.orders.simulation.plan import Batch, Feature, Plan, Race, Send
from eventlib.orders.simulation.simulate import _acts_done


@pytest.fixture(scope="module")
def many() -> list[Plan]:
    return list(plans(600, seed=3, hot_orders=1, hot_events=400))


def as_bytes(plan: Plan) -> bytes:
    parts = [plan.order_id.bytes]
    for event, metadata in plan.recorded:
        parts += [type(event).__name__.encode(), encode_event(event), encode_metadata(metadata)]
    return b"\n".join(parts)


def test_the_same_seed_gives_the_same_bytes() -> None:
    first = [as_bytes(plan) for plan in plans(40, seed=11, hot_orders=1, hot_events=100)]
    second = [as_bytes(plan) for plan in plans(40, seed=11, hot_orders=1, hot_events=100)]
    assert first == second


def test_another_seed_or_another_epoch_gives_other_orders() -> None:
    ids = [
        {plan.order_id for plan in plans(20, seed, 1, 50, epoch)}
        for seed, epoch in [(1, DEFAULT_EPOCH), (2, DEFAULT_EPOCH), (1, datetime(2026, 1, 1, tzinfo=UTC))]
    ]
    assert len(set.union(*ids)) == 3 * 21


def test_more_orders_add_to_fewer() -> None:
    few, many_more = list(plans(10, 5, 0, 100)), list(plans(30, 5, 0, 100))
    assert [as_bytes(plan) for plan in many_more[:10]] == [as_bytes(plan) for plan in few]


def test_every_plan_folds_to_its_state(many: list[Plan]) -> None:
    for plan in many:
        assert ORDER.fold(event for event, _ in plan.recorded) == plan.state


def test_acts_and_counts_agree_with_what_the_domain_answers(many: list[Plan]) -> None:
    """Each act is played again, by the rules of `handle`, on a state and a set of executed commands of its own."""
    for plan in many:
        state, executed, refused, repeated, recorded = ORDER.initial(), set(), 0, 0, []
        for act in plan.acts:
            if isinstance(act, Batch):
                assert act.expected_version == len(recorded)
                recorded += act.recorded
                state = ORDER.fold((event for event, _ in act.recorded), state)
                continue
            sents = [act.winner, act.loser] if isinstance(act, Race) else [act.sent] * act.times
            for sent in sents:
                if sent.metadata.command_id in executed:
                    repeated += 1
                    continue
                try:
                    events = ORDER.decide(state, sent.command)
                except DomainError:
                    refused += 1
                    continue
                executed.add(sent.metadata.command_id)
                recorded += [(event, sent.metadata) for event in events]
                state = ORDER.fold(events, state)
        assert (recorded, refused, repeated) == (list(plan.recorded), plan.refused, plan.repeats)
        assert plan.races == sum(isinstance(act, Race) for act in plan.acts)


def test_lengths_are_realistic(many: list[Plan]) -> None:
    lengths = [len(plan.recorded) for plan in many[1:]]
    assert sum(5 <= length <= 20 for length in lengths) > 0.85 * len(lengths)
    assert min(lengths) >= 2


@pytest.mark.parametrize("events", [MIN_EVENTS, 61, 62, 500])
def test_a_hot_order_has_exactly_the_events_asked_for(events: int) -> None:
    (hot,) = plans(0, seed=1, hot_orders=1, hot_events=events)
    assert len(hot.recorded) == events
    assert hot.state.status is Status.DELIVERED


@pytest.mark.parametrize(("orders", "hot_orders", "hot_events"), [(1, 1, MIN_EVENTS - 1), (-1, 0, 50), (0, -1, 50)])
def test_impossible_numbers_are_refused(orders: int, hot_orders: int, hot_events: int) -> None:
    with pytest.raises(ValueError, match=str(min(orders, hot_orders, hot_events))):
        list(plans(orders, 1, hot_orders, hot_events))


def test_the_first_order_of_any_seed_has_it_all() -> None:
    for seed in range(20):
        (plan,) = plans(1, seed, 0, 50)
        assert plan.features == frozenset(Feature)
        assert 12 <= len(plan.recorded) <= 25
        assert plan.races == 1 and plan.repeats and plan.refused


def test_it_is_lively(many: list[Plan]) -> None:
    ordinary = many[1:]
    assert {plan.state.status for plan in ordinary} >= {
        Status.PLACED,
        Status.SUBMITTED,
        Status.SHIPPED,
        Status.DELIVERED,
        Status.CANCELLED,
        Status.UNAVAILABLE,
        Status.PARTLY_REFUNDED,
        Status.REFUNDED,
    }
    told = Counter(type(event) for plan in ordinary for event, _ in plan.recorded)
    assert told.keys() == set(ORDER.events)
    assert Counter(feature for plan in ordinary for feature in plan.features).keys() == set(Feature)


def test_who_approves_a_refund_has_not_asked_for_it(many: list[Plan]) -> None:
    refunds = 0
    for plan in many:
        asked = {ev.refund_id: about.actor for ev, about in plan.recorded if isinstance(ev, e.RefundRequested)}
        for event, about in plan.recorded:
            if isinstance(event, e.RefundApproved):
                refunds += 1
                assert asked[event.refund_id] != about.actor
    assert refunds > 20


def test_orders_are_cancelled_by_who_sends_the_command(many: list[Plan]) -> None:
    cancelled = [
        (event.cancelled_by, about.actor)
        for plan in many
        for event, about in plan.recorded
        if isinstance(event, e.OrderCancelled)
    ]
    assert len({by for by, _ in cancelled}) > 3 and all(by == actor for by, actor in cancelled)


def test_causes_come_before_their_effects(many: list[Plan]) -> None:
    caused = 0
    for plan in many:
        seen = set()
        for _, about in plan.recorded:
            if about.causation_id and about.causation_id != about.command_id:
                caused += 1
                assert about.causation_id in seen
            seen.add(about.command_id)
    assert caused > 1000


def test_some_facts_are_recorded_late(many: list[Plan]) -> None:
    sents = [act.sent for plan in many for act in plan.acts if isinstance(act, Send)]
    late_deliveries = [sent for sent in sents if sent.lag and type(sent.command).__name__ == "DeliverOrder"]
    assert late_deliveries and min(sent.lag for sent in late_deliveries) > timedelta(hours=2)
    assert all(sent.metadata.reason for sent in sents if sent.lag)
    times = [[about.occurred_at for _, about in plan.recorded] for plan in many]
    assert any(order != sorted(order) for order in times)


def test_addresses_are_from_documentation_networks(many: list[Plan]) -> None:
    networks = {about.ip for plan in many for _, about in plan.recorded if about.ip}
    assert {ip for ip in networks if ":" not in ip} == {"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"}
    assert {ip[:9] for ip in networks if ":" in ip} == {"2001:db8:"}


def test_an_interrupted_plan_is_taken_up_at_the_act_that_is_not_whole(many: list[Plan]) -> None:
    for plan in many:
        for version in range(len(plan.recorded)):
            done = _acts_done(plan.acts, version)
            whole = sum(act.events for act in plan.acts[:done])
            assert whole <= version < whole + plan.acts[done].events
