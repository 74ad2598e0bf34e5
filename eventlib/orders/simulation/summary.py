"""What a simulation sent, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class SimulationSummary:
    """Counts of one run. The ids are of the seed's orders, whether they were written in this run or before.

    Attributes:
        orders: orders of the simulation, hot ones included.
        written: orders that got events in this run.
        complete_before: orders that were in the log to their end already; nothing was sent to them.
        disturbed: orders that are not as planned, because somebody else has appended to them.
        events: appended in this run.
        commands: sent in this run, repetitions and refused ones included.
        repeated: commands that the store recognised as executed before.
        refused: commands that the domain refused.
        races_lost: appends that failed with `ConcurrencyError`, each decided anew afterwards.
        interesting_order_id: the order with most to tell, fit for a report; None if there are only hot ones.
        hot_order_ids: the orders with thousands of events.
    """

    orders: int
    written: int
    complete_before: int
    disturbed: tuple[UUID, ...]
    events: int
    commands: int
    repeated: int
    refused: int
    races_lost: int
    interesting_order_id: UUID | None
    hot_order_ids: tuple[UUID, ...]
