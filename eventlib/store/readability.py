"""Readability: whether every event that was ever written can be read by the code of today."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from eventlib.aggregate import Aggregate
from eventlib.errors import UnreadableEvent
from eventlib.store.connection import Connection
from eventlib.store.scan import partitions, recorded_of, scan_stored

PROBLEMS = 100
"""Unreadable events that are described; the others are counted."""

TOLD_EVERY = 10_000


class Readability(msgspec.Struct):
    """What came of reading every event of the log.

    Attributes:
        events: in the log.
        readable: of those, how many can be read in today's shape.
        shapes: how many there are of each, by type and schema version, such as `OrderPlaced 1`.
        old_shapes: those that an upcaster takes.
        problems: what is wrong with the first of those that cannot be read, and where they are.
    """

    events: int = 0
    readable: int = 0
    shapes: dict[str, int] = {}
    old_shapes: list[str] = []
    problems: list[str] = []


def check_readability(
    connection: Connection,
    aggregates: Sequence[Aggregate[Any, Any]],
    advance: Callable[[int], None] = lambda events: None,
) -> Readability:
    """Read every event of the log in today's shape, in constant memory.

    Args:
        aggregates: whose events the log may hold.
        advance: told the number of events read since the last call.
    """
    known = {aggregate.name: aggregate for aggregate in aggregates}
    result = Readability()
    for partition in partitions(connection):
        for stored in scan_stored(connection, partition):
            shape = f"{stored.event_type} {stored.schema_version}"
            result.events += 1
            result.shapes[shape] = result.shapes.get(shape, 0) + 1
            try:
                recorded = recorded_of(known, stored)
            except UnreadableEvent as error:
                if len(result.problems) < PROBLEMS:
                    result.problems.append(str(error))
            else:
                result.readable += 1
                if recorded[0].upcast_from == shape and shape not in result.old_shapes:
                    result.old_shapes.append(shape)
            if result.events % TOLD_EVERY == 0:
                advance(TOLD_EVERY)
    advance(result.events % TOLD_EVERY)
    return result
