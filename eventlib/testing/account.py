"""The aggregate that the store's contract is tried with: small, and with a past that shows in its state."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from eventlib.aggregate import Aggregate
from eventlib.errors import DomainError
from eventlib.events import Event


class Opened(Event, frozen=True):
    owner: str


class Deposited(Event, frozen=True):
    cents: int


class Account(msgspec.Struct, frozen=True):
    owner: str | None = None
    cents: int = 0
    deposits: tuple[int, ...] = ()


def decide(account: Account, command: Event) -> Sequence[Event]:
    """A command is the event that it asks for."""
    if isinstance(command, Opened) is (account.owner is not None):
        raise DomainError("an account is opened once, and before anything else")
    return [command]


def evolve(account: Account, event: Opened | Deposited) -> Account:
    if isinstance(event, Opened):
        return msgspec.structs.replace(account, owner=event.owner)
    return msgspec.structs.replace(
        account, cents=account.cents + event.cents, deposits=(*account.deposits[-9:], event.cents)
    )


ACCOUNT: Aggregate[Account, Event] = Aggregate(
    "account", Account, decide, evolve, (Opened, Deposited), examples=(Opened("Ada"), Deposited(500))
)
