"""The snapshot interval that is recommended is the one that costs least, and how sure that is is not made up."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlib.bench.interval_cost import recommend, snapshot_volume
from eventlib.bench.order_mix import HOT_FROM, OrderMix, described, sampled_moments, spread_lengths
from eventlib.bench.scan import dealt
from tests.measurements import candidate


def test_a_mix_is_mostly_short_orders_and_a_few_long_ones_and_always_the_same() -> None:
    mix = OrderMix(orders=300, hot_share=0.02, longest=400)
    lengths = [len(history) for history in mix.histories()]

    assert lengths == [len(history) for history in mix.histories()]
    assert len(lengths) == 300 and lengths[-6:] == spread_lengths(6, HOT_FROM, 400) and max(lengths) == 400
    assert 8 <= described(lengths)["median"] <= 15
    assert max(lengths[:-6]) < HOT_FROM, "an ordinary order is as long as a hot one"


def test_a_mix_that_cannot_be_is_refused() -> None:
    for wrong in ({"orders": 0}, {"hot_share": 1.5}, {"longest": 3}):
        with pytest.raises(ValueError, match="a mix has at least one order"):
            OrderMix(**wrong)  # type: ignore[arg-type]


@given(st.lists(st.integers(0, 300), min_size=1, max_size=30).filter(any), st.integers(1, 200), st.integers())
def test_moments_are_spread_evenly_over_all_events(lengths: list[int], number: int, seed: int) -> None:
    moments = sampled_moments(lengths, number, seed)

    assert len(moments) == number
    assert all(0 <= version < lengths[order] for order, version in moments)
    sampled = Counter(order for order, _ in moments)
    for order, length in enumerate(lengths):
        assert abs(sampled[order] - number * length / sum(lengths)) < 1.001, "an order has more than its share"


def test_snapshots_are_counted_from_the_orders_themselves() -> None:
    volume = snapshot_volume([[100, 110, 120], [], [90]], events=50, event_bytes=200.0, keep=2)

    assert volume.taken_per_event == pytest.approx(4 / 50)
    assert volume.mean_bytes == pytest.approx(105)
    assert volume.kept_bytes_per_event == pytest.approx((110 + 120 + 90) / 50)
    assert volume.write_amplification == pytest.approx(1 + 420 / 50 / 200)
    assert snapshot_volume([[], []], 50, 200.0, 2).write_amplification == 1


def test_a_cost_is_the_load_and_the_share_of_a_snapshot_and_what_is_kept() -> None:
    cost = candidate(50, [0.3, 0.5, 0.4], take_ms=2.0, taken_per_event=0.05).cost(storage_ms_per_kib=10.0)

    assert cost.load == pytest.approx(0.4), "the median of the rounds' means"
    assert cost.snapshots == pytest.approx(0.1)
    assert cost.storage == pytest.approx(600 * 0.05 / 1024 * 10)
    assert cost.total == pytest.approx(cost.load + cost.snapshots + cost.storage)


def test_percentiles_are_of_the_loads_and_not_of_the_rounds() -> None:
    one = candidate(50, [0.14, 0.14, 14.0])

    assert one.percentile(0.5) == pytest.approx(0.1)
    assert one.percentile(0.95) == pytest.approx(0.5), "one round that was disturbed decides nothing"


def test_the_least_cost_is_recommended_and_a_clear_case_is_sure() -> None:
    best = recommend([
        candidate(10, [0.5, 0.52, 0.51], taken_per_event=0.1),
        candidate(50, [0.3, 0.31, 0.29]),
        candidate(100, [0.3, 0.31, 0.29], taken_per_event=0.01),
        candidate(None, [0.9, 0.8, 1.0]),
    ])  # fmt: skip

    assert best.every == 50 and best.cost == pytest.approx(0.3)
    assert best.wins == {50: 1.0} and best.near == [100] and best.near_share == 1.0


def test_a_narrow_race_is_told_as_one() -> None:
    best = recommend([candidate(25, [0.30, 0.50, 0.31, 0.52, 0.3]), candidate(50, [0.50, 0.31, 0.52, 0.30, 0.5])])

    assert 0 < best.wins[25] < 1 and sum(best.wins.values()) == pytest.approx(1)
    assert best.near_share < 0.95, "a recommendation that is a coin's throw claims to be sure"


def test_no_snapshots_win_where_taking_them_costs_more_than_they_save() -> None:
    best = recommend([candidate(10, [0.2, 0.2], take_ms=5.0, taken_per_event=0.1), candidate(None, [0.25, 0.25])])
    assert best.every is None


def test_the_price_of_storage_is_tried_out() -> None:
    best = recommend(
        [candidate(10, [0.2, 0.2], take_ms=0.0, taken_per_event=0.1), candidate(None, [0.205, 0.205])], 0.01
    )

    assert best.every == 10
    assert best.if_storage_were == (10, None)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=40), st.integers(1, 8))
def test_partitions_are_dealt_out_evenly_and_each_once(sizes: list[int], hands: int) -> None:
    named = {f"p{index}": size for index, size in enumerate(sizes)}
    hands_ = dealt(named, hands)

    assert sorted(name for hand in hands_ for name in hand) == sorted(named)
    held = [sum(named[name] for name in hand) for hand in hands_]
    assert max(held) - min(held) <= max(sizes)
