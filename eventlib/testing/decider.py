"""Given, when, then: examples of what an aggregate decides, and what every aggregate has to hold to."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from eventlib.aggregate import Aggregate
from eventlib.codec import decoder_for, encode_event
from eventlib.errors import DomainError
from eventlib.events import Event

_encode = msgspec.json.Encoder().encode


def given(aggregate: Aggregate[Any, Any], *events: Event) -> Given:
    """What has happened before: `given(CARD, Issued(5000)).when(Redeem(2000)).then(Redeemed(2000))`."""
    return Given(aggregate, events)


@dataclass(frozen=True)
class Given:
    """An aggregate with a past."""

    aggregate: Aggregate[Any, Any]
    events: Sequence[Event]

    def when(self, command: Any) -> When:
        """A command arrives."""
        return When(self.aggregate, self.events, command)


@dataclass(frozen=True)
class When:
    """A command to an aggregate with a past; nothing is decided before a `then`."""

    aggregate: Aggregate[Any, Any]
    events: Sequence[Event]
    command: Any

    def then(self, *expected: Event) -> None:
        """Exactly these events follow, and they can be written.

        Raises:
            AssertionError: others do.
        """
        decided = self._decided()
        if isinstance(decided, DomainError):
            raise AssertionError(self._told(f"refused: {decided}", expected)) from decided
        assert decided == list(expected), self._told(decided, expected)

    def then_nothing(self) -> None:
        """The command asks for what already is."""
        self.then()

    def then_refused(self, reason: str) -> None:
        """The command is refused, with a message in which the regular expression `reason` is found.

        Raises:
            AssertionError: it is not refused, or for another reason.
        """
        decided = self._decided()
        assert isinstance(decided, DomainError), self._told(decided, f"refused: {reason}")
        assert re.search(reason, str(decided)), self._told(f"refused: {decided}", f"refused: {reason}")

    def then_state(self, expected: Callable[[Any], bool]) -> None:
        """The state after the command's events is as `expected` says.

        Raises:
            AssertionError: it is not, or the command is refused.
        """
        decided = self._decided()
        if isinstance(decided, DomainError):
            raise AssertionError(self._told(f"refused: {decided}", "a state")) from decided
        state = self.aggregate.fold([*self.events, *decided])
        assert expected(state), self._told(state, "another state")

    def _decided(self) -> list[Event] | DomainError:
        """Decide twice: the same state and command must give the same events, and leave the state as it was."""
        state = self.aggregate.fold(self.events)
        before = _encode(state)
        answers: list[list[Event] | str] = []
        refusal = None
        for _ in range(2):
            try:
                answers.append(list(self.aggregate.decide(state, self.command)))
            except DomainError as error:
                refusal = error
                answers.append(str(error))
        assert answers[0] == answers[1], self._told(answers[1], f"the same as at first: {answers[0]}")
        assert _encode(state) == before, self._told(state, "a state that deciding does not change")
        if refusal is not None:
            return refusal
        events = [event for event in answers[0] if isinstance(event, Event)]
        for event in events:
            assert type(event) in self.aggregate.kinds, self._told(event, f"an event of {self.aggregate.name}")
            assert decoder_for(type(event))(encode_event(event)) == event
        self.aggregate.fold(events, state)
        return events

    def _told(self, actual: object, expected: object) -> str:
        past = "".join(f"\n    {event}" for event in self.events) or "\n    nothing"
        return f"\n  given{past}\n  when\n    {self.command}\n  then\n    {expected}\n  but\n    {actual}"


def check_aggregate(aggregate: Aggregate[Any, Any]) -> None:
    """What every aggregate has to hold to, tried with its examples and those of its upcasters.

    Each event folds on every state that the examples lead to, in any order, without raising; folding in two steps gives what
    folding in one does; and every state comes back from JSON as it was, or it could not be kept as a snapshot.

    Raises:
        AssertionError: it does not, or there are no examples.
    """
    events = [*aggregate.examples, *(event for one in aggregate.upcasters for event in aggregate.upcast_example(one))]
    assert {type(event) for event in aggregate.examples} == aggregate.kinds, (
        f"aggregate {aggregate.name} lacks examples of {sorted(kind.__name__ for kind in _without(aggregate))}"
    )
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(aggregate.initial).decode
    for start in range(len(events)):
        history = [*events[start:], *events[:start]]
        whole = aggregate.fold(history)
        for cut in range(len(history) + 1):
            state = aggregate.fold(history[:cut])
            before = _encode(state)
            aggregate.fold(history[cut:], state)
            assert _encode(state) == before, f"folding {history[cut:]} has changed {state} in place"
            assert decode(_encode(state)) == state, f"{state} does not come back from JSON as it was"
            assert aggregate.fold(history[cut:], decode(_encode(state))) == whole, (
                f"folding {history} in two steps, with a snapshot after {cut}, gives another state"
            )


def _without(aggregate: Aggregate[Any, Any]) -> set[type[Event]]:
    return set(aggregate.kinds) - {type(event) for event in aggregate.examples}
