"""Is what is written going to be read soon? The answer has to be true also when nothing is being written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from eventlib.pipeline.signals import NotifierSignals, ProjectionSignals, Signals

CONFIRMED_S = 10.0


@dataclass(frozen=True)
class Readiness:
    """One part of the pipeline, whether it does its work, and what was found."""

    part: str
    ready: bool
    finding: str


def readiness(signals: Signals, within_s: float) -> list[Readiness]:
    """Judge every part.

    Args:
        within_s: how old the oldest event that is not published, or not applied, may be, in seconds.
    """
    parts = [_outbox(signals, within_s), *(_projection(one, within_s) for one in signals.projections)]
    return parts if signals.notifier is None else [*parts, _notifier(signals.notifier, signals, within_s)]


def _outbox(signals: Signals, within_s: float) -> Readiness:
    outbox = signals.outbox
    held = sum(one.rows for one in outbox.held)
    problems = []
    if outbox.publisher == "relay":
        if not any(relay.alive for relay in outbox.relays):
            problems.append("no relay is at work")
        elif unowned := sum(shard.owner is None for shard in outbox.shards):
            problems.append(f"{unowned} of {_many(len(outbox.shards), 'shard has', 'shards have')} no relay")
    elif signals.slot is not None:
        problems += signals.slot.problems
        within_s += CONFIRMED_S  # its rows wait for the slot's confirmation, and then for a relay to delete them
    if outbox.oldest_s > within_s:
        waiting = _many(outbox.depth, "event", "events")
        problems.append(f"the oldest of {waiting} has waited {outbox.oldest_s:.1f} s to be published")
    alive = sum(relay.alive for relay in outbox.relays)
    by = _many(alive, "relay is", "relays are") if outbox.publisher == "relay" else "change data capture is"
    fine = f"{by} at work, {_many(outbox.depth, 'event waits', 'events wait')}, {held} of them held back"
    return Readiness("outbox", not problems, "; ".join(problems) or fine)


def _projection(one: ProjectionSignals, within_s: float) -> Readiness:
    problems = list(_problems(one, within_s))
    at_work = _many(one.members, "projector is", "projectors are")
    parked = _many(one.parked, "aggregate is", "aggregates are")
    fine = f"{at_work} at work, {_many(one.unapplied, 'message waits', 'messages wait')}, {parked} parked"
    return Readiness(one.name, not problems, "; ".join(problems) or fine)


def _notifier(one: NotifierSignals, signals: Signals, within_s: float) -> Readiness:
    problems = [] if one.members else ["no notifier is at work"]
    problems += _late(one, within_s, "noted")
    at_work = _many(one.members, "notifier is", "notifiers are")
    waiting = _many(signals.pushes_waiting, "push waits", "pushes wait")
    fine = (
        f"{at_work} at work, {_many(one.unapplied, 'message waits', 'messages wait')}, {waiting} for the push service"
    )
    return Readiness(one.name, not problems, "; ".join(problems) or fine)


def _problems(one: ProjectionSignals, within_s: float) -> Iterator[str]:
    if one.version is None:
        yield "it has no table"
    elif one.version != one.wanted_version:
        yield f"its table is of version {one.version}, not {one.wanted_version}"
    if one.paused:
        yield "it is paused"
    if not one.members:
        yield "no projector is at work"
    if one.missed:
        missed = _many(one.missed, "message was", "messages were")
        yield f"{missed} gone before it had read them: `eventlib projections rebuild {one.name}` makes up for them"
    yield from _late(one, within_s, "applied")


def _late(one: ProjectionSignals | NotifierSignals, within_s: float, done: str) -> Iterator[str]:
    if one.oldest_s is None:
        yield f"{_many(one.unapplied, 'message waits', 'messages wait')}, and for how long cannot be told"
    elif one.oldest_s > within_s:
        yield f"the oldest of {_many(one.unapplied, 'message', 'messages')} has waited {one.oldest_s:.1f} s to be {done}"


def _many(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"
