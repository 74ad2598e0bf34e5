"""How far a projection has come: kept beside its rows and written in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec

from eventlib.store.connection import Connection
from eventlib.store.queries import query


class Place(NamedTuple):
    """Where to go on in a partition.

    Attributes:
        next_offset: the offset of the next message.
        leader_epoch: the term of the partition's leader in which the last message was written (KIP-320): if the message
            before that offset is of another one, the partition was cut back since. None where that is not known.
    """

    next_offset: int
    leader_epoch: int | None = None


BEGINNING = Place(0)


def applied_offsets(connection: Connection, projection: str, topic: str, topic_id: str) -> dict[int, Place]:
    """Where to go on, by partition; of a topic that was deleted and made again since, nothing is known."""
    rows = connection.execute(query("offsets_read"), {"projection": projection, "topic": topic})
    return {partition: Place(*place) for partition, of_topic, *place in rows if of_topic == topic_id}


def record_offsets(
    connection: Connection, projection: str, topic: str, topic_id: str, places: Mapping[int, Place]
) -> datetime | None:
    """Record where to go on, by partition; to be called in the transaction that applied what came before.

    Returns:
        The time by the database's clock; None when nothing of this was new.
    """
    offsets = [{"partition": partition, **place._asdict()} for partition, place in places.items()]
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
