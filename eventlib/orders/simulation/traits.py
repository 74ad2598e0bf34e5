"""What kind of order it is going to be: thrown like dice, once, before its story is told."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum


class Ending(StrEnum):
    """How far the order gets."""

    ABANDONED = "the cart is left"
    CART_CANCELLED = "cancelled before it was submitted"
    UNPAID = "never paid"
    CANCELLED = "cancelled before it was shipped"
    UNAVAILABLE = "the shop cannot deliver"
    LOST = "lost on the way"
    UNDER_WAY = "shipped"
    DELIVERED = "delivered"


_ENDINGS = {
    Ending.ABANDONED: 9,
    Ending.CART_CANCELLED: 5,
    Ending.UNPAID: 4,
    Ending.CANCELLED: 8,
    Ending.UNAVAILABLE: 3,
    Ending.LOST: 3,
    Ending.UNDER_WAY: 8,
    Ending.DELIVERED: 60,
}


class RaceAt(StrEnum):
    """Where two devices or services meet."""

    CART = "phone and tablet add an item at once"
    SUBMISSION = "the tablet adds an item while the phone submits"
    CAPTURE = "two workers capture the same payment"
    FULFILMENT = "the address changes while fulfilment starts"


class Refund(StrEnum):
    NONE = "none"
    PARTIAL = "partial"
    WHOLE = "whole"


@dataclass(frozen=True)
class Traits:
    """What will happen, as far as the order gets there."""

    ending: Ending
    lines: int
    removes_item: bool = False
    changes_quantity: bool = False
    coupon: bool = False
    swaps_coupon: bool = False
    adds_offline: bool = False
    moves: bool = False
    price_match: bool = False
    declines: int = 0
    late_decline: bool = False
    splits_payment: bool = False
    invoiced: bool = True
    late_delivery: bool = False
    refund: Refund = Refund.NONE
    race: RaceAt | None = None
    taps_twice: bool = False
    webhook_twice: bool = False
    item_again: bool = False
    submits_empty: bool = False
    stale_price: bool = False
    item_too_late: bool = False
    address_too_late: bool = False
    cancels_too_late: bool = False
    refund_too_high: bool = False


SHOWCASE = Traits(
    ending=Ending.DELIVERED,
    lines=3,
    removes_item=True,
    changes_quantity=True,
    coupon=True,
    moves=True,
    declines=1,
    late_delivery=True,
    refund=Refund.PARTIAL,
    race=RaceAt.FULFILMENT,
    taps_twice=True,
    item_too_late=True,
    cancels_too_late=True,
)
"""The first order of every simulation, so that there is always one worth a report."""


def some_traits(rng: random.Random) -> Traits:
    def happens(probability: float) -> bool:
        return rng.random() < probability

    return Traits(
        ending=rng.choices(list(_ENDINGS), weights=list(_ENDINGS.values()))[0],
        lines=rng.choices([1, 2, 3, 4, 6], weights=[40, 28, 18, 10, 4])[0],
        removes_item=happens(0.22),
        changes_quantity=happens(0.25),
        coupon=happens(0.25),
        swaps_coupon=happens(0.2),
        adds_offline=happens(0.06),
        moves=happens(0.1),
        price_match=happens(0.04),
        declines=rng.choices([0, 1, 2], weights=[84, 12, 4])[0],
        late_decline=happens(0.15),
        splits_payment=happens(0.08),
        invoiced=happens(0.9),
        late_delivery=happens(0.12),
        refund=rng.choices(list(Refund), weights=[86, 9, 5])[0],
        race=rng.choice(list(RaceAt)) if happens(0.15) else None,
        taps_twice=happens(0.1),
        webhook_twice=happens(0.08),
        item_again=happens(0.03),
        submits_empty=happens(0.04),
        stale_price=happens(0.03),
        item_too_late=happens(0.05),
        address_too_late=happens(0.04),
        cancels_too_late=happens(0.04),
        refund_too_high=happens(0.1),
    )
