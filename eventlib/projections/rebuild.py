"""A projection made anew from the log, whatever is in its table or in Kafka."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eventlib.projection import Projection
from eventlib.projections.rows import write_rows
from eventlib.projections.statements import statement
from eventlib.store.event_store import Store


def rebuild(store: Store, projection: Projection[Any], advance: Callable[[int], None] = lambda aggregates: None) -> int:
    """Fold the whole log into the projection's table, in one transaction.

    Readers see the old rows until it is done; the projector waits, and goes on from its own offsets afterwards, which is
    safe since it ignores versions that a row knows already.

    Args:
        advance: told the number of aggregates folded since the last call.

    Returns:
        The number of rows.

    Raises:
        UnreadableEvent: an event cannot be decoded; the old rows stay.
    """
    written = 0
    with store.connection.transaction():
        store.connection.execute(statement("projection_lock", projection))
        store.connection.execute(statement("projection_clear", projection))
        for aggregate_ids in store.aggregate_ids(projection.aggregate):
            rows = [
                projection.row_of(aggregate_id, *projection.replay(events))
                for aggregate_id, events in store.read_many(projection.aggregate, aggregate_ids)
            ]
            write_rows(store.connection, projection, rows)
            written += len(rows)
            advance(len(rows))
    return written
