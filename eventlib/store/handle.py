"""Command handling: load, decide, append; a lost race is tried again with the state brought up to date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import msgspec
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from eventlib.aggregate import Aggregate, S
from eventlib.errors import ConcurrencyError, DomainError, DuplicateEvent
from eventlib.events import Event, Metadata
from eventlib.store.event_store import Store
from eventlib.store.snapshots import Loaded
from eventlib.tracing import span

MAX_ATTEMPTS = 50
"""Of a command, before its race counts as lost for good. Beside a rival that never pauses, four of five may be lost."""

C = TypeVar("C")


@dataclass(frozen=True)
class Outcome:
    """What came of a command.

    Attributes:
        version: the aggregate's version after the command.
        events: the events that it caused; none when it asked for what already was.
        attempts: how often it was decided; more than 1 after a lost race.
        repeated: it had been executed before, and nothing was written now.
    """

    version: int
    events: Sequence[Event]
    attempts: int
    repeated: bool = False


def handle(store: Store, aggregate: Aggregate[S, C], aggregate_id: UUID, command: C, metadata: Metadata) -> Outcome:
    """Execute a command; one that has caused events is executed once, however often it is sent.

    Args:
        metadata: its `command_id` identifies the command: the same id again gives the first execution's events. A command
            that caused none left no trace, and is decided like a new one.

    Raises:
        DomainError: the command is illegal in the aggregate's state.
        ConcurrencyError: the race was lost `MAX_ATTEMPTS` times in a row.
        InvalidEvent: the decision cannot be written.
    """
    with span(f"command {type(command).__name__}", metadata.traceparent) as traceparent:
        if traceparent is not None:
            metadata = msgspec.structs.replace(metadata, traceparent=traceparent)
        return _handle(store, aggregate, aggregate_id, command, metadata)


def _handle(store: Store, aggregate: Aggregate[S, C], aggregate_id: UUID, command: C, metadata: Metadata) -> Outcome:
    retrying = Retrying(
        retry=retry_if_exception_type(ConcurrencyError),
        stop=stop_after_attempt(MAX_ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.002, max=0.1),
        reraise=True,
    )
    known: Loaded[S] | None = None
    attempts = 0

    def attempt() -> Outcome:
        nonlocal known, attempts
        attempts += 1
        # After a lost race only what the winner appended is read, or a long stream would lose race after race.
        loaded = known = store.load(aggregate, aggregate_id, known)
        try:
            events = aggregate.decide(loaded.state, command)
            if events:
                appended = store.append(aggregate, aggregate_id, loaded.version, events, metadata)
                return Outcome(appended.version, events, attempts)
        except (DomainError, DuplicateEvent):
            if not (earlier := earlier_outcome()):
                raise
            return earlier
        return earlier_outcome() or Outcome(loaded.version, (), attempts)

    # Whether a command is a repeated one is asked only when it wrote nothing: the usual case pays nothing for it.
    def earlier_outcome() -> Outcome | None:
        events = store.executed(aggregate, aggregate_id, metadata.command_id)
        if not events:
            return None
        return Outcome(events[-1].version, [recorded.event for recorded in events], attempts, repeated=True)

    return retrying(attempt)
