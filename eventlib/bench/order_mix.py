"""Which lengths orders have, and at which of their versions commands arrive. Pure: the same arguments give the same mix."""

from __future__ import annotations

import bisect
import itertools
import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from eventlib.bench.order_workload import History, long_history
from eventlib.orders.simulation import plans

HOT_FROM = 25
"""Events of the shortest order that counts as hot: just above the longest ordinary one."""

MODEL = (
    "Ordinary orders are those that 'eventlib simulate' tells, from abandoned carts to refunds; their lengths are what the "
    "order domain's own life cycle comes to. A small share are hot: companies' shared carts, with lengths spread evenly "
    "over the logarithm between {hot_from} events and the longest. Each event stands for the command that caused it."
)


@dataclass(frozen=True)
class OrderMix:
    """A distribution of orders.

    Attributes:
        orders: in all.
        hot_share: of them that are hot, from 0 to 1.
        longest: events of the longest hot order, at least `HOT_FROM`.
        seed: of all that is random.
    """

    orders: int = 2_000
    hot_share: float = 0.01
    longest: int = 2_000
    seed: int = 1

    def __post_init__(self) -> None:
        if self.orders < 1 or not 0 <= self.hot_share <= 1 or self.longest < HOT_FROM:
            raise ValueError(
                f"a mix has at least one order, a share of hot ones from 0 to 1, and a longest order of at least {HOT_FROM} "
                f"events: got {self.orders}, {self.hot_share:g} and {self.longest}"
            )

    @property
    def model(self) -> str:
        """How the mix is made, in words."""
        return MODEL.format(hot_from=HOT_FROM)

    def histories(self) -> list[History]:
        """Every order of the mix, the ordinary ones first."""
        hot = round(self.orders * self.hot_share)
        ordinary = [plan.recorded for plan in plans(self.orders - hot, self.seed, 0, 0)]
        return ordinary + [long_history(length, self.seed) for length in spread_lengths(hot, HOT_FROM, self.longest)]


def spread_lengths(number: int, shortest: int, longest: int) -> list[int]:
    """Lengths whose logarithms have equal distances, from the shortest to the longest; one alone is the longest.

    >>> spread_lengths(4, 25, 2000)
    [25, 108, 464, 2000]
    """
    if number <= 1:
        return [longest] * number
    step = math.log(longest / shortest) / (number - 1)
    return [round(shortest * math.exp(index * step)) for index in range(number)]


def sampled_moments(lengths: Sequence[int], number: int, seed: int) -> list[tuple[int, int]]:
    """Moments at which a command arrives: which order, and at which version it is then.

    Every event of every order is as likely as any other: a long order gets many commands. They are drawn at equal distances
    from a random start over all events in a row, so that every length has its share also among few moments.

    Args:
        lengths: of the orders, in events; at least one event in all.
        number: of moments.
    """
    ends = list(itertools.accumulate(lengths))
    step = ends[-1] / number
    start = random.Random(f"moments {seed}").random() * step
    drawn = (min(int(start + index * step), ends[-1] - 1) for index in range(number))
    return [_moment(ends, event) for event in drawn]


def _moment(ends: Sequence[int], event: int) -> tuple[int, int]:
    order = bisect.bisect_right(ends, event)
    return order, event - (ends[order - 1] if order else 0)


def described(lengths: Sequence[int]) -> dict[str, float]:
    """The distribution of lengths in a few figures, and where the commands go."""
    ordered = sorted(lengths)
    total = sum(lengths)
    return {
        "orders": len(ordered),
        "events": total,
        "median": statistics.median(ordered),
        "p99": ordered[min(len(ordered) - 1, math.ceil(0.99 * len(ordered)) - 1)],
        "longest": ordered[-1],
        "share_of_commands_to_orders_of_50_events_and_more": sum(length for length in ordered if length >= 50) / total,
    }
