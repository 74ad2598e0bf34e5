"""Transitions: each event of a stream between the state before it and the state after it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic

from eventlib.aggregate import Aggregate, S
from eventlib.events import Event, Recorded


@dataclass(frozen=True)
class Transition(Generic[S]):
    """One event and what it did."""

    recorded: Recorded[Event]
    before: S
    after: S


@dataclass(frozen=True)
class Replay(Generic[S]):
    """A stream, replayed.

    Attributes:
        transitions: of the stored events that could be folded whole, in order.
        state: after the last of them.
        broken_by: the version whose event could not be folded, which ends the replay; None if all could.
        problem: what folding that event raised; None if nothing did.
    """

    transitions: list[Transition[S]]
    state: S
    broken_by: int | None = None
    problem: str | None = None


def replay(aggregate: Aggregate[S, Any], events: Iterable[Recorded[Event]]) -> Replay[S]:
    """Fold events one by one and keep every state; stop at the first event that cannot be folded."""
    state = aggregate.initial()
    transitions: list[Transition[S]] = []
    for recorded in events:
        try:
            after = aggregate.evolve(state, recorded.event)
        except Exception as error:  # whatever a domain raises, an auditor has to see how far the log can be told
            # Of one stored event that an upcaster makes several of, some parts alone would be a state that never was.
            while transitions and transitions[-1].recorded.version == recorded.version:
                state = transitions.pop().before
            return Replay(transitions, state, recorded.version, f"{type(error).__name__}: {error}")
        transitions.append(Transition(recorded, state, after))
        state = after
    return Replay(transitions, state)
