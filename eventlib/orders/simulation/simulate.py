"""Sending the plans of many orders to a real store, interleaved as in a shop."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from eventlib.errors import ConcurrencyError, DomainError
from eventlib.orders import ORDER
from eventlib.orders.simulation.hot_order import tell_hot_order
from eventlib.orders.simulation.overtaken_store import OvertakenStore
from eventlib.orders.simulation.plan import Act, Batch, Plan, Race, Send, Sent
from eventlib.orders.simulation.story import tell_order
from eventlib.orders.simulation.summary import SimulationSummary
from eventlib.orders.simulation.traits import SHOWCASE, some_traits
from eventlib.store.event_store import Store
from eventlib.store.handle import handle

NAMESPACE = UUID("d8821c72-c557-4d40-a432-cad083dd6965")
"""Of the simulated orders' ids: chosen once, at random, and never changed."""

DEFAULT_EPOCH = datetime(2025, 1, 6, 7, 0, tzinfo=UTC)
"""When the first simulated order is placed, unless another time is given."""

CONCURRENT_ORDERS = 50

REPORT_EVENTS = range(12, 26)
"""How many events an order worth a report has: enough to tell, few enough to read."""


def plans(orders: int, seed: int, hot_orders: int, hot_events: int, epoch: datetime = DEFAULT_EPOCH) -> Iterator[Plan]:
    """The plans of a simulation, hot orders first. Pure: the same arguments give the same plans.

    An ordinary order depends on the seed, its number and the epoch alone: more orders add to those of fewer.

    Args:
        epoch: when the first order is placed, in UTC.

    Raises:
        ValueError: `hot_events` is too small for a hot order, or a number is negative.
    """
    if orders < 0 or hot_orders < 0:
        raise ValueError(f"{orders} orders and {hot_orders} hot orders cannot be simulated: give numbers from 0")
    for number in range(hot_orders):
        key = f"{epoch.isoformat()} seed {seed} hot order {number} of {hot_events} events"
        yield tell_hot_order(uuid5(NAMESPACE, key), random.Random(key), epoch + timedelta(hours=number), hot_events)
    for number in range(orders):
        key = f"{epoch.isoformat()} seed {seed} order {number}"
        rng = random.Random(key)
        start = epoch + timedelta(seconds=97 * number + rng.randrange(97))
        traits = SHOWCASE if number == 0 else some_traits(rng)
        yield tell_order(uuid5(NAMESPACE, key), rng, start, traits)


def simulate(
    store: Store,
    rival: Store,
    *,
    orders: int,
    seed: int,
    hot_orders: int = 2,
    hot_events: int = 2_000,
    epoch: datetime = DEFAULT_EPOCH,
    advance: Callable[[int], None] = lambda orders: None,
) -> SimulationSummary:
    """Make lively orders; the same arguments give the same orders, and a second run adds nothing.

    A run that was interrupted is taken up where it stopped. Orders that are complete in the log get no commands.

    Args:
        store: where most commands go, through `handle`.
        rival: a store on another connection to the same database; it wins the races.
        orders: ordinary orders, most with 5 to 20 events.
        seed: of all that is random.
        hot_orders: further orders with `hot_events` events each, written in batches.
        epoch: when the first order is placed, in UTC.
        advance: called with 1 after each order, hot ones included.

    Raises:
        ValueError: `hot_events` is too small for a hot order, a number is negative, or both stores share a connection.
    """
    if store.connection is rival.connection:
        raise ValueError("the rival of a simulation needs a connection of its own: races would not be real")
    simulation = _Simulation(OvertakenStore(store.connection), rival, advance)
    simulation.run(plans(orders, seed, hot_orders, hot_events, epoch), random.Random(f"seed {seed} interleaving"))
    return simulation.summary(hot_orders)


@dataclass
class _Running:
    """A plan that is under way, and how many of its acts are done."""

    plan: Plan
    done: int


class _Simulation:
    def __init__(self, store: OvertakenStore, rival: Store, advance: Callable[[int], None]) -> None:
        self.store = store
        self.rival = rival
        self.advance = advance
        self.order_ids: list[UUID] = []
        self.best: Plan | None = None
        self.disturbed: list[UUID] = []
        self.written = self.complete_before = 0
        self.events = self.commands = self.repeated = self.refused = 0

    def run(self, coming: Iterator[Plan], rng: random.Random) -> None:
        """Work on a window of orders, one act of a random one at a time, so that their events interleave in the log."""
        under_way: list[_Running] = []
        exhausted = False
        while under_way or not exhausted:
            while len(under_way) < CONCURRENT_ORDERS and not exhausted:
                plan = next(coming, None)
                if plan is None:
                    exhausted = True
                elif running := self._begin(plan):
                    under_way.append(running)
            if under_way:
                chosen = rng.randrange(len(under_way))
                if self._continue(under_way[chosen]):
                    continue
                under_way[chosen] = under_way[-1]
                under_way.pop()
                self.advance(1)

    def summary(self, hot_orders: int) -> SimulationSummary:
        return SimulationSummary(
            orders=len(self.order_ids),
            written=self.written,
            complete_before=self.complete_before,
            disturbed=tuple(self.disturbed),
            events=self.events,
            commands=self.commands,
            repeated=self.repeated,
            refused=self.refused,
            races_lost=self.store.races_lost,
            interesting_order_id=self.best.order_id if self.best else None,
            hot_order_ids=tuple(self.order_ids[:hot_orders]),
        )

    def _begin(self, plan: Plan) -> _Running | None:
        """The plan from where the log is; None if nothing is to be done for it."""
        self.order_ids.append(plan.order_id)
        self.best = _more_interesting(self.best, plan)
        version = self.store.version(plan.order_id)
        if version >= len(plan.recorded):
            self.complete_before += 1
        elif not self._is_ours(plan, version):
            self.disturbed.append(plan.order_id)
        else:
            self.written += 1
            return _Running(plan, _acts_done(plan.acts, version))
        self.advance(1)
        return None

    def _is_ours(self, plan: Plan, version: int) -> bool:
        """Whether the log's last event is the plan's at that version: a foreign one before it would shift them."""
        recorded = self.store.read(ORDER, plan.order_id, after=version - 1) if version else ()
        return all((last.event, last.metadata) == plan.recorded[version - 1] for last in recorded)

    def _continue(self, running: _Running) -> bool:
        """Do the next act; whether there are more."""
        try:
            self._do(running.plan.order_id, running.plan.acts[running.done])
        except ConcurrencyError:
            self.disturbed.append(running.plan.order_id)
            return False
        running.done += 1
        if running.done < len(running.plan.acts):
            return True
        if self.store.version(running.plan.order_id) != len(running.plan.recorded):
            self.disturbed.append(running.plan.order_id)
        return False

    def _do(self, order_id: UUID, act: Act) -> None:
        match act:
            case Send(sent, times):
                for _ in range(times):
                    self._send(self.store, order_id, sent)
            case Race(winner, loser):
                with self.store.overtaken_by(lambda: self._send(self.rival, order_id, winner)):
                    self._send(self.store, order_id, loser)
            case Batch(commands, expected_version, recorded):
                events, metadata = zip(*recorded)
                self.store.append(ORDER, order_id, expected_version, events, metadata)
                self.commands += commands
                self.events += len(events)

    def _send(self, store: Store, order_id: UUID, sent: Sent) -> None:
        self.commands += 1
        try:
            outcome = handle(store, ORDER, order_id, sent.command, sent.metadata)
        except DomainError:
            self.refused += 1
            return
        if outcome.repeated:
            self.repeated += 1
        else:
            self.events += len(outcome.events)


def _acts_done(acts: Sequence[Act], version: int) -> int:
    """How many acts are wholly in a log that is at `version`."""
    done = reached = 0
    for number, act in enumerate(acts, start=1):
        reached += act.events
        if reached > version:
            break
        done = number
    return done


def _more_interesting(best: Plan | None, plan: Plan) -> Plan | None:
    if len(plan.recorded) not in REPORT_EVENTS:
        return best
    return plan if best is None or len(plan.features) > len(best.features) else best
