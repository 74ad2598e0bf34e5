"""The checks on one aggregate: is its log complete, its read model consistent with it, and every event legal?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

from eventlib.aggregate import Aggregate, S
from eventlib.audit.verdict import Check, Outcome
from eventlib.errors import DomainError
from eventlib.events import Event, Recorded
from eventlib.projections.reconcile import Reconciliation
from eventlib.projections.staleness import Staleness
from eventlib.temporal.durations import in_words
from eventlib.temporal.transitions import Replay, Transition

COMPLETE, CONSISTENT, LEGAL = "Complete", "Consistent", "Legal"

Place = tuple[int, int]
"""Version and part of an event."""

SHOWN = 3
"""How many offences a finding names; the others it counts."""


def check_complete(events: Sequence[Recorded[Event]]) -> Check:
    """Versions are 1..n, no event id occurs twice, and positions in the log rise with the versions."""
    stored = [
        recorded for recorded in events if recorded.part == 0
    ]  # an upcaster may make several events of a stored one
    problems = [*_holes(stored), *_repeated_ids(stored), *_out_of_order(stored)]
    if problems:
        return Check(COMPLETE, Outcome.FAILED, _listed(problems))
    last = events[-1].version
    versions = "Version 1 is there" if last == 1 else f"Versions 1 to {last:,} are there"
    return Check(COMPLETE, Outcome.VERIFIED, f"{versions}: no gap, no duplicate, in the order of the log.")


def check_consistent(projection: str, reconciliation: Reconciliation | None, stale: Staleness | None) -> Check:
    """The read model's row equals the fold of the events at the version that the row claims.

    Args:
        projection: the name of the read model.
        reconciliation: None when the log cannot be folded.
        stale: of the row; None when there is none.
    """
    if reconciliation is None:
        finding = f"The log cannot be folded to its end, so there is nothing that {projection} could be held against."
        return Check(CONSISTENT, Outcome.NOT_COVERED, finding)
    claimed, logged = reconciliation.projected_version, reconciliation.logged_version
    if claimed is None or stale is None:
        finding = f"{projection} has no row for it yet, so there is nothing to hold against the log."
        return Check(CONSISTENT, Outcome.NOT_COVERED, finding)
    if claimed > logged:
        finding = f"{projection} claims version {claimed:,}, but the log ends at version {logged:,}."
        return Check(CONSISTENT, Outcome.FAILED, finding)
    differing = reconciliation.differing
    if differing:
        names = " and ".join(comparison.name for comparison in differing)
        finding = f"{projection} differs from the replayed events at version {claimed:,} in {names}."
        return Check(CONSISTENT, Outcome.FAILED, finding)
    equal = f"The state replayed from the log equals {projection} at version {claimed:,}"
    if stale.behind_events:
        newer = "1 newer event is" if stale.behind_events == 1 else f"{stale.behind_events:,} newer events are"
        equal += f"; {newer} not projected yet, for {in_words(timedelta(seconds=stale.waiting_s))}"
    return Check(CONSISTENT, Outcome.VERIFIED, f"{equal}.")


def check_legal(name: str, replayed: Replay[Any], offences: Mapping[Place, str]) -> Check:
    """No event broke a rule of the domain.

    Args:
        name: of the aggregate.
        replayed: its events.
        offences: what `offences` has found.
    """
    if offences:
        problems = [f"event {version:,}: {offence}" for (version, _), offence in offences.items()]
        return Check(LEGAL, Outcome.FAILED, _listed(problems))
    number = sum(transition.recorded.part == 0 for transition in replayed.transitions)
    events = "The event" if number == 1 else f"Each of the {number:,} events"
    return Check(LEGAL, Outcome.VERIFIED, f"{events} follows from the rules of the {name} when decided again.")


def offences(aggregate: Aggregate[S, Any], replayed: Replay[S], retell: Callable[[Event], Any]) -> dict[Place, str]:
    """The places whose event does not come out as it is stored when it is decided again on the state before it.

    That covers every rule of the domain and every figure that an event carries, such as the total that was agreed to. An
    event in an old shape may say again what already was, such as a delivery fee of nothing: today's rules would write no
    event for it, but none of them is broken.

    Args:
        retell: the command that must have led to an event.
    """
    found = {
        (transition.recorded.version, transition.recorded.part): problem
        for transition in replayed.transitions
        if (problem := _decided_again(aggregate, transition, retell))
    }
    if replayed.broken_by is not None:
        found[replayed.broken_by, 0] = f"cannot be replayed ({replayed.problem})"
    return found


def _decided_again(
    aggregate: Aggregate[S, Any], transition: Transition[S], retell: Callable[[Event], Any]
) -> str | None:
    stored = transition.recorded.event
    try:
        decided = list(aggregate.decide(transition.before, retell(stored)))
    except DomainError as error:
        return str(error)
    if decided == [stored]:
        return None
    if not decided and transition.recorded.upcast_from and transition.before == transition.after:
        return None
    return f"the rules lead to {decided[0]}, not to {stored}" if decided else "the rules lead to no event there"


def _holes(events: Sequence[Recorded[Event]]) -> list[str]:
    versions = {recorded.version for recorded in events}
    missing = sorted(set(range(1, max(versions) + 1)) - versions)
    repeated = [version for version, times in Counter(recorded.version for recorded in events).items() if times > 1]
    return [f"version {version:,} is missing" for version in missing] + [
        f"version {version:,} is there more than once" for version in repeated
    ]


def _repeated_ids(events: Sequence[Recorded[Event]]) -> list[str]:
    ids = Counter(recorded.event_id for recorded in events)
    return [f"event id {event_id} is there {times} times" for event_id, times in ids.items() if times > 1]


def _out_of_order(events: Sequence[Recorded[Event]]) -> list[str]:
    return [
        f"version {later.version:,} stands before version {earlier.version:,} in the log"
        for earlier, later in pairwise(events)
        if later.position <= earlier.position
    ]


def _listed(problems: Sequence[str]) -> str:
    more = len(problems) - SHOWN
    text = "; ".join(problems[:SHOWN]) + (f"; and {more:,} more" if more > 0 else "")
    return f"{text[0].upper()}{text[1:]}."
