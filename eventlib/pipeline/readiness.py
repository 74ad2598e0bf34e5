"""Is what is written going to be read soon? The answer has to be true also when nothing is being written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from eventlib.pipeline.signals import ProjectionSignals, Signals

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
    return [_outbox(signals, within_s), *(_projection(one, within_s) for one in signals.projections)]


def _outbox(signals: Signals, within_s: float) -> Readiness:
    outbox = signals.outbox
    held = sum(one.rows for one in outbox.held)
    problems = []
    if outbox.publisher == "relay":
        if not any(relay.alive for relay in outbox.relays):
            problems.append("no relay is at work")
        elif unowned := sum(shard.owner is None for shard in outbox.shards):
            problems.append(f"{unowned} of {len(outbox.shards)} shards have no relay")
    elif signals.slot is not None:
        problems += signals.slot.problems
        within_s += CONFIRMED_S  # its rows wait for the slot's confirmation, and then for a relay to delete them
    if outbox.oldest_s > within_s:
        problems.append(f"the oldest of {outbox.depth} events has waited {outbox.oldest_s:.1f} s to be published")
    alive = sum(relay.alive for relay in outbox.relays)
    by = f"{alive} relays are" if outbox.publisher == "relay" else "change data capture is"
    fine = f"{by} at work, {outbox.depth} events wait, {held} of them held back"
    return Readiness("outbox", not problems, "; ".join(problems) or fine)


def _projection(one: ProjectionSignals, within_s: float) -> Readiness:
    problems = list(_problems(one, within_s))
    fine = f"{one.members} projectors are at work, {one.unapplied} messages wait, {one.parked} aggregates are parked"
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
    if one.oldest_s is None:
        yield f"{one.unapplied} messages wait, and for how long cannot be told"
    elif one.oldest_s > within_s:
        yield f"the oldest of {one.unapplied} messages has waited {one.oldest_s:.1f} s to be applied"
