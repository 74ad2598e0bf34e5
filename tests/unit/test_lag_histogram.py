"""Lags as counts below bounds."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from eventlib.projections.lag_histogram import BOUNDS_MS, PROMISE_MS, UNBOUNDED_MS, LagHistogram, merged


def test_a_quantile_lies_in_the_class_of_the_true_one() -> None:
    lags = sorted(random.Random(1).expovariate(1 / 12) for _ in range(10_000))
    histogram = LagHistogram()
    for lag in lags:
        histogram.add(lag)
    assert histogram.events == 10_000 and histogram.total_ms == pytest.approx(sum(lags))
    for part in (0.01, 0.5, 0.9, 0.99, 0.999):
        true = lags[int(part * len(lags)) - 1]
        bounds = [0, *BOUNDS_MS]
        lower, upper = max(one for one in bounds if one < true), min(one for one in bounds if one >= true)
        assert lower <= (histogram.quantile(part) or 0) <= upper
    assert histogram.within(PROMISE_MS) == sum(lag <= PROMISE_MS for lag in lags) / len(lags)


def test_without_events_nothing_is_claimed() -> None:
    assert LagHistogram().quantile(0.5) is None and LagHistogram().within(PROMISE_MS) is None


def test_beyond_the_last_bound_only_that_is_known() -> None:
    histogram = LagHistogram()
    histogram.add(10**10)
    assert histogram.counts == {UNBOUNDED_MS: 1} and histogram.quantile(0.5) == BOUNDS_MS[-1]
    assert histogram.within(BOUNDS_MS[-1]) == 0


def test_several_become_one() -> None:
    both = merged([LagHistogram(Counter({5: 1}), 4.0), LagHistogram(Counter({5: 2, 8: 1}), 16.0)])
    assert both == LagHistogram(Counter({5: 3, 8: 1}), 20.0)
