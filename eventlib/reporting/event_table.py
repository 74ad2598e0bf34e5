"""The table of events: what happened, who, with what and why, what changed, and the order before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from eventlib.audit.checks import Place
from eventlib.audit.reconstruction import Reconstruction
from eventlib.events import Event, Recorded
from eventlib.orders.changes import Change, changes, parts
from eventlib.orders.order import Order
from eventlib.orders.sentences import Sentence, sentence
from eventlib.reporting.timeline.moments import NOTEWORTHY_DELAY
from eventlib.temporal.backfill import Backfill
from eventlib.temporal.durations import in_words
from eventlib.temporal.transitions import Transition

FOLDED_ABOVE = 60
"""Of more events than that, each day is one line that opens."""

STATES_BUDGET = 600_000
"""How many characters the states of a long history may take; beyond that they are left out, and the table says so."""


@dataclass(frozen=True)
class PartRow:
    """One part of the order before and after an event; empty where it was or is not there."""

    name: str
    before: str
    after: str

    @property
    def changed(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True)
class EventRow:
    """One event.

    Attributes:
        missing: instead of an event, the versions that are not in the log, such as `7` or `7 to 9`.
        sentence: None when the event could not be replayed, so that its words are not known.
        late: how far from its occurrence it was recorded, in words; empty when within a minute.
        offence: which rule it breaks; empty if none.
        remark: what deserves to be pointed out about it; empty if nothing.
        shape: the old shape that it was recorded in, such as `OrderCheckedOut, schema version 1`; empty if today's.
        states: the order before and after, part by part; empty in a long history.
        state: the order after, in one line; empty in a short history.
    """

    recorded: Recorded[Event] | None
    missing: str = ""
    sentence: Sentence | None = None
    event_type: str = ""
    late: str = ""
    offence: str = ""
    remark: str = ""
    shape: str = ""
    changes: Sequence[Change] = ()
    states: Sequence[PartRow] = ()
    state: str = ""

    @property
    def anchor(self) -> str:
        """The id of the row in the page; of several events that one stored event stands for, the first has the plain one."""
        assert self.recorded is not None
        part = f"-{self.recorded.part + 1}" if self.recorded.part else ""
        return f"event-{self.recorded.version}{part}"


@dataclass(frozen=True)
class DayOfEvents:
    """The events recorded on one day; of a backfill, those that occurred on it."""

    title: str
    summary: str
    rows: Sequence[EventRow]
    has_finding: bool


@dataclass(frozen=True)
class EventTable:
    """The whole table: `rows` for a short history, `days` for a long one. Of a backfill it tells when events occurred."""

    backfill: Backfill | None
    number: int
    rows: Sequence[EventRow]
    days: Sequence[DayOfEvents]
    states_left_out: bool


def event_table(told: Reconstruction[Order], remarks: Mapping[int, str], backfilled: Backfill | None) -> EventTable:
    """Put the events of a reconstruction into words.

    Args:
        remarks: what to point out, by version.
        backfilled: how the history was recorded in one go afterwards, if it was.
    """
    is_long = len(told.events) > FOLDED_ABOVE
    transitions = {_place(transition.recorded): transition for transition in told.replay.transitions}
    lines = _state_lines(told.replay.transitions) if is_long else {}
    left_out = sum(map(len, lines.values())) > STATES_BUDGET
    rows: list[EventRow] = []
    expected = 1
    for recorded in told.events:
        if recorded.version > expected:
            last = recorded.version - 1
            rows.append(EventRow(None, missing=str(expected) if last == expected else f"{expected} to {last}"))
        expected = recorded.version + 1
        offence, remark = told.offences.get(_place(recorded), ""), remarks.get(recorded.version, "")
        transition = transitions.get(_place(recorded))
        if transition is None:
            rows.append(
                EventRow(
                    recorded,
                    event_type=type(recorded.event).__name__,
                    late=_late(recorded),
                    offence=offence,
                    remark=remark,
                    shape=_shape(recorded),
                )
            )
        else:
            state = "" if left_out else lines.get(_place(recorded), "")
            rows.append(_row(transition, offence, remark, () if is_long else _part_rows(transition), state))
    if not is_long:
        return EventTable(backfilled, told.number, rows, (), False)
    return EventTable(backfilled, told.number, (), _days(rows, transitions, backfilled is not None), left_out)


def stamp(at: datetime) -> str:
    """A time as the reports write it, such as `27 Feb 2025 09:13:20`."""
    return f"{at:%-d %b %Y %H:%M:%S}"


def _row(transition: Transition[Order], offence: str, remark: str, states: Sequence[PartRow], state: str) -> EventRow:
    recorded = transition.recorded
    return EventRow(
        recorded,
        sentence=sentence(recorded.event, transition.before),
        event_type=type(recorded.event).__name__,
        late=_late(recorded),
        offence=offence,
        remark=remark,
        shape=_shape(recorded),
        changes=changes(transition.before, transition.after),
        states=states,
        state=state,
    )


def _place(recorded: Recorded[Event]) -> Place:
    return recorded.version, recorded.part


def _shape(recorded: Recorded[Event]) -> str:
    return ", schema version ".join(recorded.upcast_from.split()) if recorded.upcast_from else ""


def _late(recorded: Recorded[Event]) -> str:
    delay = recorded.recorded_at - recorded.occurred_at
    if abs(delay) <= NOTEWORTHY_DELAY:
        return ""
    return f"{in_words(abs(delay))} {'later' if delay > timedelta(0) else 'earlier'}"


def _part_rows(transition: Transition[Order]) -> list[PartRow]:
    before = {part.key: part for part in parts(transition.before, transition.after.currency)}
    after = {part.key: part for part in parts(transition.after)}
    return [
        PartRow(part.name, before[key].value if key in before else "", after[key].value if key in after else "")
        for key, part in {**before, **after}.items()
    ]


def _state_lines(transitions: Sequence[Transition[Order]]) -> dict[Place, str]:
    """Each state in one line, without what hardly ever changes: the user, the currency, the address, the unit prices."""
    return {_place(transition.recorded): _state_line(transition.after) for transition in transitions}


def _state_line(order: Order) -> str:
    lines = [f"{sku} × {line.quantity:,}" for sku, line in order.lines.items()]
    others = [
        f"{part.name} {part.value}"
        for part in parts(order)
        if not part.key.startswith("line ") and part.key not in {"user", "currency", "address"}
    ]
    return "; ".join(others + lines)


def _days(
    rows: Sequence[EventRow], transitions: Mapping[Place, Transition[Order]], by_occurrence: bool
) -> list[DayOfEvents]:
    def day_of(recorded: Recorded[Event]) -> str:
        return f"{recorded.occurred_at if by_occurrence else recorded.recorded_at:%-d %B %Y}"

    days = []
    # A hole belongs to the day of the event after it.
    dated = [
        (day_of(row.recorded or following.recorded), row)  # type: ignore[arg-type]
        for row, following in zip(rows, [*rows[1:], rows[-1]])
    ]
    # Days follow the versions: should a clock have gone back over midnight, a day comes twice rather than out of order.
    for day, group in groupby(dated, key=lambda pair: pair[0]):
        of_day = [row for _, row in group]
        events = [row.recorded for row in of_day if row.recorded]
        first, last = events[0].version, events[-1].version
        stored = sum(event.part == 0 for event in events)
        number = f"{stored:,} events, versions {first} to {last}" if stored > 1 else f"event {first}"
        told = [transitions[place] for place in (_place(events[0]), _place(events[-1])) if place in transitions]
        effect = ", ".join(
            f"{change.name} {change.before} → {change.after}"
            for change in (changes(told[0].before, told[-1].after) if told else ())
            if change.name in {"status", "items", "total", "paid", "refunded"}
        )
        finding = any(row.offence or row.missing for row in of_day)
        days.append(DayOfEvents(day, number + (f": {effect}" if effect else ""), of_day, finding))
    return days
