"""What is going to be sent for one order, and what will have happened to it then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from eventlib.events import Event, Metadata
from eventlib.orders.commands import Command
from eventlib.orders.order import Order


@dataclass(frozen=True)
class Sent:
    """A command with who sends it.

    Attributes:
        lag: how long after it happened it is sent; more than zero for what is recorded late.
    """

    command: Command
    metadata: Metadata
    lag: timedelta = timedelta(0)


@dataclass(frozen=True)
class Send:
    """Send one command, once or, as after a lost answer, several times. `events` is how many events it adds."""

    sent: Sent
    times: int
    events: int


@dataclass(frozen=True)
class Race:
    """Two commands decided on the same state: the winner is appended between the loser's load and its append."""

    winner: Sent
    loser: Sent
    events: int


@dataclass(frozen=True)
class Batch:
    """Commands decided in memory and appended together at `expected_version`; for long histories."""

    commands: int
    expected_version: int
    recorded: Sequence[tuple[Event, Metadata]]

    @property
    def events(self) -> int:
        return len(self.recorded)


Act = Send | Race | Batch


class Feature(StrEnum):
    """What makes an order worth a report."""

    ITEM_REMOVED = "item removed"
    COUPON = "coupon"
    PAYMENT_DECLINED = "payment declined"
    LATE_DELIVERY = "late delivery"
    PARTIAL_REFUND = "partial refund"


@dataclass(frozen=True)
class Plan:
    """One order, played to its end in memory.

    Attributes:
        order_id: derived from the seed and the order's number.
        acts: what is sent, in order.
        recorded: the events with their metadata as the log will have them, versions 1 to n.
        state: their fold.
        features: what happened in it.
        refused: commands that the domain refuses.
        races: lost races.
        repeats: commands that are sent again after they were executed.
    """

    order_id: UUID
    acts: Sequence[Act]
    recorded: Sequence[tuple[Event, Metadata]]
    state: Order
    features: frozenset[Feature]
    refused: int
    races: int
    repeats: int
