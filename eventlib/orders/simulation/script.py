"""An order's plan while it is written: each command is decided on the state after the ones before it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from eventlib.errors import DomainError
from eventlib.events import Event, Metadata
from eventlib.orders import ORDER
from eventlib.orders import events as e
from eventlib.orders.commands import Command
from eventlib.orders.order import Order, Status
from eventlib.orders.simulation.plan import Act, Batch, Feature, Plan, Race, Send, Sent


@dataclass(frozen=True)
class Actor:
    """Who sends commands, and with what."""

    name: str
    device: str | None = None
    ip: str | None = None


class Script:
    """Writes a plan.

    Attributes:
        clock: the simulated time, in UTC; it only goes forward.
        state: the order after everything that was written so far.
    """

    def __init__(self, order_id: UUID, rng: random.Random, clock: datetime) -> None:
        self.order_id = order_id
        self.rng = rng
        self.clock = clock
        self.state: Order = ORDER.initial()
        self._acts: list[Act] = []
        self._recorded: list[tuple[Event, Metadata]] = []
        self._features: set[Feature] = set()
        self._commands = self._refused = self._races = self._repeats = 0

    @property
    def version(self) -> int:
        """How many events were written so far."""
        return len(self._recorded)

    def wait(self, least: timedelta, most: timedelta) -> None:
        """Let a random time pass, in whole seconds."""
        self.clock += timedelta(seconds=self.rng.randint(int(least.total_seconds()), int(most.total_seconds())))

    def compose(
        self,
        command: Command,
        actor: Actor,
        reason: str | None = None,
        *,
        lag: timedelta = timedelta(0),
        because: Sent | None = None,
        conversation: str = "order",
    ) -> Sent:
        """A command as the actor sends it now, about what happened `lag` ago, because of another command."""
        self._commands += 1
        metadata = Metadata(
            command_id=uuid5(self.order_id, f"command {self._commands}"),
            correlation_id=uuid5(self.order_id, f"conversation {conversation}"),
            causation_id=because.metadata.command_id if because else None,
            actor=actor.name,
            reason=reason,
            device=actor.device,
            ip=actor.ip,
            occurred_at=self.clock - lag,
        )
        return Sent(command, metadata, lag)

    def send(self, sent: Sent, times: int = 1) -> Sent:
        """The command is sent, and executed once however often it is sent.

        Raises:
            DomainError: it is illegal, so the story is wrong.
            AssertionError: the repetition would go unnoticed, since the command then asks for what already is.
        """
        before = self.version
        self._execute(sent)
        assert times == 1 or self._answers(sent), sent
        self._acts.append(Send(sent, times, self.version - before))
        self._repeats += times - 1
        return sent

    def send_again(self, sent: Sent) -> None:
        """A command that was executed before arrives once more, late.

        Raises:
            AssertionError: the repetition would go unnoticed, since the command now asks for what already is.
        """
        assert self._answers(sent), sent
        self._acts.append(Send(sent, 1, 0))
        self._repeats += 1

    def send_in_vain(self, sent: Sent) -> None:
        """The command is sent and the domain refuses it.

        Raises:
            AssertionError: the domain would not, so the story is wrong.
        """
        try:
            ORDER.decide(self.state, sent.command)
        except DomainError:
            self._acts.append(Send(sent, 1, 0))
            self._refused += 1
        else:
            raise AssertionError(f"{sent.command} was meant to be refused by {self.state}")

    def race(self, winner: Sent, loser: Sent) -> None:
        """Two commands are decided on the same state; the loser's is decided again after the winner's.

        Raises:
            AssertionError: the loser would have had nothing to append, so there would be no race.
        """
        assert ORDER.decide(self.state, loser.command), loser
        before = self.version
        self._execute(winner)
        try:
            self._execute(loser)
        except DomainError:
            self._refused += 1
        self._acts.append(Race(winner, loser, self.version - before))
        self._races += 1

    def send_together(self, count: int, compose_next: Callable[[], Sent]) -> None:
        """`count` commands are decided in memory, each composed on the state after the one before, and appended at once."""
        before = self.version
        for _ in range(count):
            self._execute(compose_next())
        self._acts.append(Batch(count, before, tuple(self._recorded[before:])))

    def plan(self) -> Plan:
        """What was written."""
        return Plan(
            order_id=self.order_id,
            acts=tuple(self._acts),
            recorded=tuple(self._recorded),
            state=self.state,
            features=frozenset(self._features),
            refused=self._refused,
            races=self._races,
            repeats=self._repeats,
        )

    def _answers(self, sent: Sent) -> bool:
        """Whether the command is illegal now or would have events, and not simply none."""
        try:
            return bool(ORDER.decide(self.state, sent.command))
        except DomainError:
            return True

    def _execute(self, sent: Sent) -> None:
        for event in ORDER.decide(self.state, sent.command):
            self.state = ORDER.evolve(self.state, event)
            self._recorded.append((event, sent.metadata))
            self._note(event, sent)

    def _note(self, event: Event, sent: Sent) -> None:
        match event:
            case e.OrderItemRemoved():
                self._features.add(Feature.ITEM_REMOVED)
            case e.OrderCouponApplied():
                self._features.add(Feature.COUPON)
            case e.PaymentDeclined():
                self._features.add(Feature.PAYMENT_DECLINED)
            case e.OrderDelivered() if sent.lag:
                self._features.add(Feature.LATE_DELIVERY)
            case e.RefundApproved() if self.state.status is Status.PARTLY_REFUNDED:
                self._features.add(Feature.PARTIAL_REFUND)
