"""What eventlib has to know to notify people: which events concern whom, and what to say. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from eventlib.aggregate import Aggregate
from eventlib.errors import SettingsError
from eventlib.events import Event, Recorded

S = TypeVar("S", bound=msgspec.Struct)


class Notice(msgspec.Struct, frozen=True):
    """What one person is told. `recipient` is whatever the push service knows them by."""

    recipient: str
    title: str
    body: str


@dataclass(frozen=True)
class Template:
    """The words of a notice, with places for fields in the manner of `str.format`."""

    title: str
    body: str

    def notice(self, recipient: str, **fields: Any) -> Notice:
        """The words with the fields in them.

        Raises:
            KeyError: the template wants a field that is not there.

        >>> Template("On its way", "{carrier} has your order.").notice("me", carrier="DHL", tracking_number="1Z")
        Notice(recipient='me', title='On its way', body='DHL has your order.')
        """
        return Notice(recipient, self.title.format(**fields), self.body.format(**fields))


@dataclass(frozen=True)
class Notifications(Generic[S]):
    """Which events of an aggregate become notices.

    Attributes:
        name: of the consumer group.
        aggregate: whose events they are.
        events: those that somebody is told of.
        notices: `(state after the event, recorded event) -> notices`; of several for one recipient the first counts.

    Raises:
        SettingsError: an event is not one of the aggregate.
    """

    name: str
    aggregate: Aggregate[S, Any]
    events: frozenset[type[Event]]
    notices: Callable[[S, Recorded[Event]], Sequence[Notice]]

    def __post_init__(self) -> None:
        if foreign := sorted(kind.__name__ for kind in self.events - self.aggregate.kinds):
            raise SettingsError(f"{self.name} want {', '.join(foreign)}, which {self.aggregate.name} has not")
