"""The notifier: turns chosen events into pushes, at most one for each event and recipient."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Generic

import msgspec
import psycopg
from confluent_kafka import Message

from eventlib.codec import encode_metadata
from eventlib.errors import EventlibError, PushRefused, PushServiceUnavailable, TopicError
from eventlib.events import Event, Recorded
from eventlib.notification import Notice, Notifications, S
from eventlib.notifications.delivery import Delivery, pause_s
from eventlib.notifications.gateways import Gateway, Push, readable
from eventlib.projections.topic_reader import Batch, TopicReader
from eventlib.stopping import Stop
from eventlib.store.connection import Connection, again, keep_nobody_waiting, planned_anew
from eventlib.store.database_clock import database_clock
from eventlib.store.event_store import Store
from eventlib.store.log_identity import log_id
from eventlib.store.queries import query
from eventlib.streaming.clients import KafkaAddress
from eventlib.streaming.messages import IncomingEvent
from eventlib.tracing import record, tracing

BATCH_MESSAGES = 200
SEND_S = 5.0
"""For how long pushes are sent before Kafka is asked for messages again."""

VISIBLE_S, VISIBLE_SOON_S = 60.0, 0.05
"""How long an event that Kafka has may be invisible in the log, and when to look again."""

ROUNDS = 20
"""How often a push is sent before it is given up; with the pauses between, that takes more than an hour."""

LEASE_BEYOND_S = 5.0
"""So much longer than a push may take nobody else sends it."""

KEPT_BEYOND = timedelta(days=30)
"""So much longer than an event may be told of, it is remembered that it was. What is older still leaves no trace."""

FORGET_S = 3600.0

MOST_RECIPIENT = 256

NOBODY = ""
"""The recipient of what failed, or was too late, before it was known whom to tell."""

log = logging.getLogger(__name__)


class _Noted(msgspec.Struct, frozen=True):
    """A row to be: a push that is to be sent, or why none is."""

    aggregate_id: uuid.UUID
    version: int
    recipient: str
    event_type: str
    title: str
    state: str
    error: str | None
    recorded_at: datetime | None


class _NotVisible(Exception):
    """Kafka has an event that the log does not show yet."""


class Notifier(Generic[S]):
    """Consumes a topic and sends a push for each event that somebody is to be told of; several share the work.

    A push is noted in the transaction that records the offsets, taken by one notifier before it is sent, and settled after
    it. One that was sent and not settled is sent again with the same key, by which the push service knows it. One that is
    not taken waits by itself; what comes after it for the same aggregate and recipient waits behind it, and nothing else.
    What happened too long ago is not told: a replay of the topic and an import of old orders are silent.
    """

    def __init__(
        self,
        connection: Connection,
        kafka: KafkaAddress,
        topic_partitions: int,
        notifications: Notifications[S],
        gateway: Gateway,
        within: timedelta = timedelta(hours=1),
    ) -> None:
        """Nothing is consumed yet.

        Args:
            within: how old an event may be for somebody to be told of it.
        """
        keep_nobody_waiting(connection)
        self._connection = connection
        self._store = Store(connection)
        self._notifications = notifications
        self._delivery = Delivery(gateway)
        self._lease = timedelta(seconds=gateway.timeout_s + LEASE_BEYOND_S)
        self._within = within
        self._reader = TopicReader(connection, kafka, topic_partitions, notifications.aggregate, notifications.name)
        self._log_id = log_id(connection)
        self._said = ""
        self._forget_at = 0.0
        aggregate = notifications.aggregate
        # What another name was written under may be read as one of these events.
        self._types = {*(kind.__name__ for kind in notifications.events), *aggregate.upcast_types}

    def run(self, stop: Stop) -> None:
        """Consume and notify until `stop`.

        Raises:
            TopicError: the messages are another log's, or say what the log does not.
            psycopg.OperationalError: the database is gone.
        """
        unseen_since: float | None = None
        with self._reader.joined() as member:
            log.info("notifying of %s", self._reader.topic)
            while not stop:
                try:
                    if messages := self._reader.poll(member, BATCH_MESSAGES):
                        self.note(messages)
                        unseen_since = None
                    self.send(stop)
                    self._forget()
                except psycopg.errors.LockNotAvailable as error:
                    log.warning("%s waits for a lock of somebody else's: %s", self._reader.group, str(error).strip())
                    self._reader.return_to_offsets(member)
                except _NotVisible as early:
                    # Change data capture is told of a commit before others see it, when that waits for a standby.
                    unseen_since = unseen_since or time.monotonic()
                    if time.monotonic() - unseen_since > VISIBLE_S:
                        raise TopicError(f"{self._reader.group}: {early}: the database was set back") from None
                    self._reader.return_to_offsets(member)
                    stop.wait(VISIBLE_SOON_S)

    def note(self, messages: Sequence[Message]) -> None:
        """Note whom to tell of the events in some messages, and that these are done with, in one transaction.

        Raises:
            TopicError: a message reports an error, or comes from another log.
        """
        if not messages:
            return
        batch = self._reader.decode(messages)
        now = database_clock(self._connection)
        noted = [row for event in batch.events for row in self._rows(event, now)]
        self._record(batch, noted)
        for row in noted:
            if row.state == "failed":
                log.error("%s: %s at version %d: %s", self._reader.group, row.aggregate_id, row.version, row.error)
        for skipped in batch.unreadable:
            log.error("%s: skipped: %s", self._reader.group, skipped.error)

    @again
    def _record(self, batch: Batch, noted: Sequence[_Noted]) -> None:
        with self._connection.transaction():
            if noted:
                self._connection.execute(
                    query("notifications_note"),
                    {"told_by": self._notifications.name, "noted": msgspec.json.encode(noted).decode()},
                )
            self._reader.record(batch)

    def send(self, stop: Stop) -> None:
        """Send the pushes that are due, for some seconds at most, unless the push service is being left alone."""
        until = time.monotonic() + SEND_S
        while not stop and not self._delivery.resting and time.monotonic() < until:
            if (claimed := self._claim()) is None:
                return
            self._send(stop, *claimed)

    @again
    def _claim(self) -> tuple[Any, ...] | None:
        parameters = {"told_by": self._notifications.name, "lease": self._lease, "within": self._within}
        return self._connection.execute(query("notification_claim"), parameters).fetchone()

    def _rows(self, event: IncomingEvent, now: datetime) -> list[_Noted]:
        """What is to be noted of an event: nothing, a push for each recipient, or why there is none."""
        event_type = event.headers.get("ce_type", b"").decode(errors="replace")
        if event_type not in self._types:
            return []

        def row(recipient: str, title: str, state: str, error: str | None = None) -> _Noted:
            return _Noted(event.aggregate_id, event.version, recipient, event_type, title, state, error, recorded_at)

        recorded_at: datetime | None = None
        try:
            wanted = [
                recorded
                for recorded in event.recorded(self._notifications.aggregate)
                if type(recorded.event) in self._notifications.events
            ]
            if not wanted or _old_when_recorded(wanted[0], self._within):
                return []
            recorded_at = wanted[0].recorded_at
            if (late := now - recorded_at - self._within) > timedelta():
                return [row(NOBODY, "", "expired")] if late < KEPT_BEYOND else []
            notices = self._notices(event.aggregate_id, event.version)
        except (psycopg.Error, _NotVisible):
            raise
        except (
            Exception
        ) as error:  # whatever a fold or a template raises: it is this event's trouble, and nobody else's
            return [row(NOBODY, "", "failed", _reason(error))]
        return [row(notice.recipient, notice.title, "sending") for notice, _ in notices.values()]

    def _notices(self, aggregate_id: uuid.UUID, version: int) -> dict[str, tuple[Notice, Recorded[Event]]]:
        """What is to be said of an event of the log, by recipient: one notice each, and what it is about."""
        aggregate = self._notifications.aggregate
        events = list(self._store.read(aggregate, aggregate_id, until=version))
        if not events or events[-1].version < version:
            raise _NotVisible(f"the log has no version {version} of {aggregate_id}")
        state = aggregate.fold(recorded.event for recorded in events)
        notices: dict[str, tuple[Notice, Recorded[Event]]] = {}
        for recorded in events:
            if recorded.version == version and type(recorded.event) in self._notifications.events:
                for notice in self._notifications.notices(state, recorded):
                    _check(notice)
                    notices.setdefault(notice.recipient, (notice, recorded))
        return notices

    def _send(
        self,
        stop: Stop,
        aggregate_id: uuid.UUID,
        version: int,
        recipient: str,
        event_type: str,
        attempts: int,
        late: bool,
    ) -> None:
        """Send a push that was taken, and settle it or have it wait."""
        told_by = self._notifications.name
        about = {"told_by": told_by, "aggregate_id": aggregate_id, "version": version, "recipient": recipient}
        if late:
            self._settle(about, "expired", None)
            return
        try:
            told = self._notices(aggregate_id, version).get(recipient)
        except psycopg.Error:
            raise
        except Exception as error:
            self._settle(about, "failed", _reason(error))
            return
        if told is None:
            self._settle(about, "failed", "by its templates the recipient is not to be told any more")
            return
        notice, recorded = told
        key = uuid.uuid5(self._log_id, f"{told_by}/{aggregate_id}/{version}/{recipient}")
        push = Push(key, notice, self._notifications.aggregate.name, aggregate_id, version, event_type)
        began_ns = time.time_ns()
        try:
            self._delivery.send(push, stop)
        except PushRefused as error:
            self._settle(about, "refused", readable(str(error)))
        except PushServiceUnavailable as error:
            if attempts >= ROUNDS and not stop:
                self._settle(about, "failed", readable(f"given up after {attempts} rounds: {error}"))
            else:
                self._hold(about, attempts, error)
        else:
            self._settle(about, "sent", None)
            self._said = ""
            if tracing():
                traced: dict[str, str | int] = {"aggregate_id": str(aggregate_id), "version": version}
                record(f"notify {self._notifications.name}", encode_metadata(recorded.metadata), began_ns, traced)

    @again
    def _hold(self, about: dict[str, Any], attempts: int, error: PushServiceUnavailable) -> None:
        pause = timedelta(seconds=max(pause_s(attempts), error.retry_after_s))
        self._connection.execute(query("notification_hold"), {**about, "pause": pause, "error": readable(str(error))})
        if str(error) != self._said:
            self._said = str(error)
            log.warning("%s: %s waits: %s", self._reader.group, about["aggregate_id"], error)

    @again
    def _settle(self, about: dict[str, Any], state: str, error: str | None) -> None:
        self._connection.execute(query("notification_settle"), {**about, "state": state, "error": error})
        if state != "sent":
            why = f": {error}" if error else ""
            place = (about["aggregate_id"], about["version"])
            log.error("%s: the push of %s at version %d is %s%s", self._reader.group, *place, state, why)

    @again
    def _forget(self) -> None:
        if time.monotonic() >= self._forget_at:
            planned_anew(self._connection, query("notifications_forget"), {"kept": self._within + KEPT_BEYOND})
            self._forget_at = time.monotonic() + FORGET_S


def _check(notice: Notice) -> None:
    """See that a notice can be noted and sent at all.

    Raises:
        ValueError: it cannot.
    """
    if not 0 < len(notice.recipient) <= MOST_RECIPIENT:
        raise ValueError(f"a recipient of {len(notice.recipient)} characters; from 1 to {MOST_RECIPIENT} are allowed")
    for text in (notice.recipient, notice.title, notice.body):
        if "\0" in text or re.search("[\ud800-\udfff]", text):
            raise ValueError("a NUL or a lone surrogate in its recipient or its words")


def _reason(error: Exception) -> str:
    return readable(str(error) if isinstance(error, EventlibError) else f"its notice cannot be made: {error!r}")


def _old_when_recorded(recorded: Recorded[Any], within: timedelta) -> bool:
    """Whether it is history, brought in long after the fact."""
    return recorded.recorded_at - recorded.occurred_at > within
