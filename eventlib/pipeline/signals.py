"""What an operator needs to know of the way from the log to its readers, at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from confluent_kafka.admin import AdminClient

from eventlib.notification import Notifications
from eventlib.notifications.status import lost_pushes
from eventlib.outbox.cdc import SlotStatus, slot_status
from eventlib.outbox.status import OutboxStatus, outbox_status
from eventlib.pipeline.positions import Consuming, Position, positions
from eventlib.projection import Projection
from eventlib.projections.lag_histogram import LagHistogram
from eventlib.projections.lag_record import lag_since
from eventlib.projections.missed import missed_counts
from eventlib.projections.parking import parked_counts
from eventlib.projections.tables import table_of
from eventlib.store.connection import Connection
from eventlib.store.database_clock import database_clock
from eventlib.store.queries import query
from eventlib.streaming.clients import KafkaAddress
from eventlib.streaming.peek import recorded_at
from eventlib.streaming.topics import group_members, topic_of

LATELY = timedelta(minutes=5)


@dataclass(frozen=True)
class ProjectionSignals:
    """How one projection is doing.

    Attributes:
        name: of the projection.
        version: which has made its table; None without a table.
        wanted_version: of the fold that is at hand.
        paused: whether somebody has had it rest.
        members: projectors in its consumer group.
        unapplied: messages that wait, in all partitions.
        oldest_s: for how long, in seconds by the database's clock, the oldest of these has been in the log; 0.0 if none
            waits, None if that cannot be told.
        parked: aggregates that it has left behind.
        missed: messages that were gone before it had read them, since it was last rebuilt.
        lag: of the last five minutes, by partition.
    """

    name: str
    version: int | None
    wanted_version: int
    paused: bool
    members: int
    unapplied: int
    oldest_s: float | None
    parked: int
    missed: int
    lag: dict[int, LagHistogram]


@dataclass(frozen=True)
class NotifierSignals:
    """How the notifier is doing.

    Attributes:
        name: of the notifications.
        members: notifiers in their consumer group.
        unapplied: messages whose pushes are not noted yet, in all partitions.
        oldest_s: as of a projection.
    """

    name: str
    members: int
    unapplied: int
    oldest_s: float | None


@dataclass(frozen=True)
class Signals:
    """All of it.

    Attributes:
        slot: while change data capture publishes.
        notifier: if there is to be one.
        pushes_waiting: that the push service has not taken yet.
        pushes_oldest_s: for how long the oldest of them has waited, in seconds.
        pushes_lost: that nobody will get any more, of the last day, by state.
    """

    outbox: OutboxStatus
    slot: SlotStatus | None
    projections: Sequence[ProjectionSignals]
    notifier: NotifierSignals | None
    pushes_waiting: int
    pushes_oldest_s: float
    pushes_lost: dict[str, int]


def take_signals(
    connection: Connection,
    kafka: KafkaAddress,
    admin: AdminClient,
    projections: Sequence[Projection[Any]],
    notifications: Notifications[Any] | None = None,
    notifying: bool = False,
) -> Signals:
    """Look at everything once.

    Args:
        notifications: what people are told.
        notifying: whether there is to be a notifier; else only if there ever was one, which its offsets tell.

    Raises:
        ServiceUnavailable: the broker does not answer.
        psycopg.Error: the database does not.
    """
    outbox = outbox_status(connection)
    if notifications is not None and not notifying and not _was_at_work(connection, notifications):
        notifications = None
    names = [projection.name for projection in projections]
    consuming: list[Consuming] = [*projections, *([notifications] if notifications else [])]
    at = positions(connection, admin, consuming)
    members = group_members(admin, [one.name for one in consuming])
    parked, missed = parked_counts(connection, names), missed_counts(connection, names)
    lag = lag_since(connection, LATELY)
    waiting, waiting_s = connection.execute(query("notifications_waiting")).fetchall()[0]
    found = []
    for projection in projections:
        table = table_of(connection, projection)
        topic = topic_of(projection.aggregate.name)
        found.append(
            ProjectionSignals(
                name=projection.name,
                version=table.version if table else None,
                wanted_version=projection.version,
                paused=table is not None and table.paused_since is not None,
                members=members[projection.name],
                unapplied=sum(one.unapplied for one in at[projection.name].values()),
                oldest_s=_oldest_s(connection, kafka, topic, at[projection.name]),
                parked=parked.get(projection.name, 0),
                missed=missed.get(projection.name, 0),
                lag=lag.get(projection.name, {}),
            )
        )
    notifier = None
    if notifications is not None:
        by_partition = at[notifications.name]
        notifier = NotifierSignals(
            name=notifications.name,
            members=members[notifications.name],
            unapplied=sum(one.unapplied for one in by_partition.values()),
            oldest_s=_oldest_s(connection, kafka, topic_of(notifications.aggregate.name), by_partition),
        )
    slot = slot_status(connection) if outbox.publisher == "cdc" else None
    return Signals(outbox, slot, found, notifier, waiting, waiting_s, lost_pushes(connection))


def _was_at_work(connection: Connection, notifications: Notifications[Any]) -> bool:
    parameters = {"projection": notifications.name, "topic": topic_of(notifications.aggregate.name)}
    return connection.execute(query("offsets_read"), parameters).fetchone() is not None


def _oldest_s(connection: Connection, kafka: KafkaAddress, topic: str, at: dict[int, Position]) -> float | None:
    waiting = {partition: one.next_offset for partition, one in at.items() if one.unapplied}
    times = recorded_at(kafka, topic, waiting).values()
    now = database_clock(connection)
    ages = [None if time is None else (now - time).total_seconds() for time in times]
    known = [age for age in ages if age is not None]
    return None if len(known) < len(ages) else max(known, default=0.0)
