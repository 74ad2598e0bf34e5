"""How far a projection has come: kept beside its rows and written in the same transaction."""

from __future__ import annotations

from datetime import datetime

import msgspec

from eventlib.store.connection import Connection
from eventlib.store.queries import query


def applied_offsets(connection: Connection, projection: str, topic: str, topic_id: str) -> dict[int, int]:
    """The next offset to apply, by partition; of a topic that was deleted and made again since, nothing is known."""
    rows = connection.execute(query("offsets_read"), {"projection": projection, "topic": topic})
    return {partition: next_offset for partition, of_topic, next_offset in rows if of_topic == topic_id}


def record_offsets(
    connection: Connection, projection: str, topic: str, topic_id: str, next_offsets: dict[int, int]
) -> datetime | None:
    """Record the next offset to apply, by partition; to be called in the transaction that applied what came before.

    Returns:
        The time by the database's clock; None when nothing of this was new.
    """
    offsets = [{"partition": partition, "next_offset": offset} for partition, offset in next_offsets.items()]
    recorded = connection.execute(
        query("offsets_write"),
        {
            "projection": projection,
            "topic": topic,
            "topic_id": topic_id,
            "offsets": msgspec.json.encode(offsets).decode(),
        },
    ).fetchall()
    return recorded[-1][0] if recorded else None
