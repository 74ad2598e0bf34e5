"""The notifier: turns chosen events into pushes, at most one for each event and recipient."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Generic

import msgspec
from confluent_kafka import Message

from eventlib.codec import storable
from eventlib.errors import EventlibError, PushRefused, PushServiceUnavailable
from eventlib.events import Event, Recorded
from eventlib.notification import Notice, Notifications, S
from eventlib.notifications.delivery import Delivery
from eventlib.notifications.gateways import Gateway, Push
from eventlib.projections.topic_reader import TopicReader, Unreadable
from eventlib.stopping import Stop
from eventlib.store.connection import Connection, again
from eventlib.store.database_clock import database_clock
from eventlib.store.event_store import Store
from eventlib.store.log_identity import log_id
from eventlib.store.queries import query
from eventlib.streaming.clients import KafkaAddress
from eventlib.streaming.messages import IncomingEvent

BATCH_MESSAGES = 200
BATCH_S = 30.0
"""For how long a batch is worked on before what is left of it is asked for again: Kafka takes a consumer that has not asked
for five minutes for a dead one."""

WAIT_S = 1.0
"""Between two looks whether the push service is back."""

NOBODY = ""
"""The recipient of what failed, or was too late, before it was known whom to tell."""

log = logging.getLogger(__name__)


class Late(msgspec.Struct, frozen=True):
    """An event that is too old to tell anybody of."""

    aggregate_id: uuid.UUID
    version: int
    event_type: str


class Notifier(Generic[S]):
    """Consumes a topic and sends a push for each event that somebody is to be told of; several share the partitions.

    A push is noted before it is sent and settled after it. One that was sent and not settled is sent again with the same
    key, by which the push service knows it. What happened too long ago is not told: a replay of the topic and an import of
    old orders are silent.
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
        self._connection = connection
        self._store = Store(connection)
        self._notifications = notifications
        self._delivery = Delivery(gateway)
        self._within = within
        self._reader = TopicReader(connection, kafka, topic_partitions, notifications.aggregate, notifications.name)
        self._log_id = log_id(connection)
        aggregate = notifications.aggregate
        # What another name was written under may be read as one of these events.
        self._types = {*(kind.__name__ for kind in notifications.events), *aggregate.upcast_types}

    def run(self, stop: Stop) -> None:
        """Consume and notify until `stop`.

        Raises:
            TopicError: the messages are another log's.
            psycopg.OperationalError: the database is gone.
        """
        said = ""
        with self._reader.joined() as member:
            log.info("notifying of %s", self._reader.topic)
            while not stop:
                messages = self._reader.poll(member, BATCH_MESSAGES)
                done, problem = self.deliver(messages, stop)
                self._reader.rewind(member, messages[done:])
                if problem != said and (said := problem):
                    log.warning("%s", said)
                if problem:
                    stop.wait(WAIT_S)

    def deliver(self, messages: Sequence[Message], stop: Stop) -> tuple[int, str]:
        """Notify of the events in some messages and record how far that got.

        Returns:
            How many messages are done with, and why it was not all of them; empty when they only took too long.

        Raises:
            TopicError: a message reports an error, or comes from another log.
        """
        next_offsets: dict[int, int] = {}
        unreadable: list[Unreadable] = []
        late: list[Late] = []
        done, problem, started = 0, "", time.monotonic()
        for message in messages:
            if stop or time.monotonic() - started > BATCH_S:
                break
            batch = self._reader.decode([message])
            try:
                late += [one for event in batch.events if (one := self._notify(event, stop))]
            except PushServiceUnavailable as error:
                problem = str(error)
                break
            next_offsets |= batch.next_offsets
            unreadable += batch.unreadable
            done += 1
        if done:
            self._record(next_offsets, unreadable, late)
        for skipped in unreadable:
            log.error("%s: skipped: %s", self._reader.group, skipped.error)
        return done, problem

    @again
    def _record(self, next_offsets: dict[int, int], unreadable: Sequence[Unreadable], late: Sequence[Late]) -> None:
        with self._connection.transaction():
            if late:
                self._connection.execute(query("notifications_expire"), {"late": msgspec.json.encode(late).decode()})
            self._reader.record(next_offsets, unreadable)

    def _notify(self, event: IncomingEvent, stop: Stop) -> Late | None:
        """Tell whom it concerns; the event itself when it is too late for that."""
        event_type = event.headers.get("ce_type", b"").decode(errors="replace")
        if event_type not in self._types:
            return None
        try:
            wanted = [
                recorded
                for recorded in event.recorded(self._notifications.aggregate)
                if type(recorded.event) in self._notifications.events
            ]
            if not wanted or _old_when_recorded(wanted[0], self._within):
                return None
            if database_clock(self._connection) - wanted[0].recorded_at > self._within:
                return Late(event.aggregate_id, event.version, event_type)
            notices = self._notices(wanted)
        except EventlibError as error:
            self._fail(event, event_type, str(error))
            return None
        except _NotSaid as error:
            self._fail(event, event_type, f"its notice cannot be made: {error.__cause__!r}")
            return None
        for notice in notices:
            key = uuid.uuid5(self._log_id, f"{event.aggregate_id}/{event.version}/{notice.recipient}")
            aggregate = self._notifications.aggregate.name
            self._send(Push(key, notice, aggregate, event.aggregate_id, event.version, event_type), stop)
        return None

    def _notices(self, wanted: Sequence[Recorded[Event]]) -> list[Notice]:
        """One notice a recipient."""
        first = wanted[0]
        aggregate = self._notifications.aggregate
        events = self._store.read(aggregate, first.aggregate_id, until=first.version)
        state = aggregate.fold(recorded.event for recorded in events)
        notices: dict[str, Notice] = {}
        try:
            for recorded in wanted:
                for notice in self._notifications.notices(state, recorded):
                    notices.setdefault(notice.recipient, notice)
        except Exception as error:
            raise _NotSaid from error
        return list(notices.values())

    def _send(self, push: Push, stop: Stop) -> None:
        about = _about(push.aggregate_id, push.version, push.notice.recipient)
        claim = {**about, "event_type": push.event_type, "title": push.notice.title}
        if self._connection.execute(query("notification_claim"), claim).fetchone() is None:
            return  # settled before
        try:
            self._delivery.send(push, stop)
        except PushRefused as error:
            log.error("%s: refused: %s", self._reader.group, error)
            self._settle(about, "refused", str(error))
        except PushServiceUnavailable as error:
            self._settle(about, "sending", str(error))
            raise
        else:
            self._settle(about, "sent", None)

    def _fail(self, event: IncomingEvent, event_type: str, error: str) -> None:
        log.error("%s: %s: %s", self._reader.group, event.place, error)
        about = _about(event.aggregate_id, event.version, NOBODY)
        self._connection.execute(query("notification_claim"), {**about, "event_type": event_type, "title": ""})
        self._settle(about, "failed", error)

    def _settle(self, about: dict[str, Any], state: str, error: str | None) -> None:
        said = None if error is None else storable(error)
        self._connection.execute(query("notification_settle"), {**about, "state": state, "error": said})


class _NotSaid(Exception):
    """The templates have failed; the cause says how."""


def _old_when_recorded(recorded: Recorded[Event], within: timedelta) -> bool:
    """Whether it is history, brought in long after the fact."""
    return recorded.recorded_at - recorded.occurred_at > within


def _about(aggregate_id: uuid.UUID, version: int, recipient: str) -> dict[str, Any]:
    return {"aggregate_id": aggregate_id, "version": version, "recipient": recipient}
