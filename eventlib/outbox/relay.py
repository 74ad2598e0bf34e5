"""The relay: publishes outbox rows to Kafka, at least once, in order for each aggregate. Several share the work."""

from __future__ import annotations

import logging
import time
from uuid import UUID

from confluent_kafka import KafkaError

from eventlib.errors import ServiceUnavailable
from eventlib.outbox.cleaner import Cleaner
from eventlib.outbox.held import hold
from eventlib.outbox.leases import LEASE_S, Leases
from eventlib.outbox.sender import Sender, is_of_the_message
from eventlib.outbox.unpublished import OutboxRow, Unpublished
from eventlib.stopping import Stop
from eventlib.store.array_text import array_text
from eventlib.store.connection import Connection
from eventlib.store.epochs import epoch_began
from eventlib.store.log_identity import log_id
from eventlib.store.queries import query
from eventlib.streaming.clients import KafkaAddress, reach
from eventlib.streaming.topics import ensure_topic, topic_of

BATCH_ROWS = 2_000
POLL_SHORTEST_S, POLL_LONGEST_S = 0.002, 0.02
FORGET_AFTER_S = 0.02
TROUBLE_SHORTEST_S, TROUBLE_LONGEST_S = 0.5, 10.0
SILENCE_S = 5.0
"""Kafka acknowledges within milliseconds: after so long something is wrong, perhaps with a topic."""
LOOK_S = 1.0

log = logging.getLogger(__name__)


class Relay:
    """Publishes what is committed and not yet published, of the shards that it owns.

    It fetches, sends, and forgets rows that Kafka has acknowledged, each without waiting for the others. A crash anywhere
    leaves rows that are published again, never rows that are not: a row goes only after its acknowledgement. While change
    data capture publishes, it only keeps the outbox small.
    """

    def __init__(
        self, connection: Connection, kafka: KafkaAddress, topic_partitions: int, lease_s: float = LEASE_S
    ) -> None:
        """
        Args:
            connection: for the relay alone.
            topic_partitions: of a topic that it has to create.
            lease_s: for how long it owns a shard without saying anything, in seconds.

        Raises:
            ServiceUnavailable: Kafka does not answer, or the log has come here from elsewhere without `eventlib init`.
        """
        epoch_began(connection)  # it refuses a log that has moved and was not told so
        # What is lost of its statements in a crash of the server is published again; it need not wait for the disk.
        connection.execute("SET synchronous_commit TO off")
        self._connection = connection
        self._topic_partitions = topic_partitions
        self._admin = reach(kafka)
        self._due: frozenset[UUID] = frozenset()
        self._heard_at = self._listened_at = time.monotonic()
        self._sender = Sender(kafka, log_id(connection))
        self._leases = Leases(connection, lease_s)
        self._unpublished = Unpublished(connection)
        self._cleaner = Cleaner(connection)
        self._published = 0
        self._error: str | None = None
        self._trouble_s = TROUBLE_SHORTEST_S
        self._forgot_at = 0.0

    def run(self, stop: Stop) -> None:
        """Publish until `stop`. What Kafka refuses or cannot take is tried again; it stays in the outbox meanwhile.

        Raises:
            psycopg.OperationalError: the database is gone.
        """
        pause = POLL_SHORTEST_S
        while not stop:
            self._take_note(0, stop)  # first, so that nothing is let through again behind a message that has failed
            self._keep_leases()
            fetched, all_sent = self._fetch_and_send(stop)
            if time.monotonic() - self._forgot_at >= FORGET_AFTER_S or len(self._sender.acknowledged) >= BATCH_ROWS:
                self._forget()
            pause = POLL_SHORTEST_S if fetched else min(pause * 1.25, POLL_LONGEST_S)
            if fetched < BATCH_ROWS or not all_sent:
                if self._sender.on_the_way:
                    heard_lately = time.monotonic() - self._heard_at < LOOK_S
                    self._sender.wait(POLL_SHORTEST_S if heard_lately and self._sender.has_room else POLL_LONGEST_S)
                else:
                    stop.wait(pause)
        self.close()

    def publish_batch(self, stop: Stop | None = None) -> int:
        """Publish what there is at this moment, wait for Kafka, forget what it has.

        Args:
            stop: gives up the wait; what is not acknowledged by then stays in the outbox.

        Returns:
            The number of rows published.
        """
        stop = Stop() if stop is None else stop
        before = self._published
        self._keep_leases(at_once=True)
        fetched = 1
        while (fetched or self._sender.on_the_way) and not stop:
            self._keep_leases()
            had_room = self._sender.has_room
            fetched, all_sent = self._fetch_and_send(stop)
            if self._take_note(0 if fetched and all_sent else 0.1, stop) or not had_room:
                fetched = 1  # there may be more
            self._forget()
        return self._published - before

    def close(self) -> None:
        """Stop sending, forget what was acknowledged, and let others have the shards at once."""
        self._sender.settle()
        self._forget()
        self._leases.leave()
        self._sender.forget_all()

    @property
    def relay_id(self) -> UUID:
        """Under which its shards are registered."""
        return self._leases.relay

    def _keep_leases(self, at_once: bool = False) -> None:
        if self._leases.lost:
            log.warning("this relay was away for longer than its leases last: it begins again")
            self._sender.begin_again()
            self._leases.epochs = {}
            at_once = True
        if at_once or self._leases.due:
            before = dict(self._leases.epochs)
            changed = self._leases.renew(self._published, self._error)
            if self._leases.publisher == "cdc":
                self._cleaner.clean()
            self._error = None
            if changed:
                if any(self._leases.epochs.get(shard) != epoch for shard, epoch in before.items()):
                    self._sender.begin_again()  # what is under way of a shard that was lost is another's
                self._unpublished.look_at_all()
            self._let_through()
            self._listen()
        if self._leases.surplus and not any(
            row.shard in self._leases.surplus for row in self._sender.on_the_way.values()
        ):
            self._leases.release_surplus()

    def _let_through(self) -> None:
        """See which of the aggregates that are held back are due.

        Nothing else lets one through, and all rows are looked at then: what is newer must not overtake what was held.
        """
        due: frozenset[UUID] = frozenset()
        if self._leases.any_held:
            shards = {"shards": self._leases.publishable}
            due = frozenset(row[0] for row in self._connection.execute(query("outbox_due"), shards))
        if due - self._due:
            self._unpublished.look_at_all()
        self._due = due

    def _listen(self) -> None:
        """When Kafka has been silent for long, say so, and see that the topics are there: somebody may have deleted one."""
        now = time.monotonic()
        if not self._sender.on_the_way:
            self._heard_at = now
        if now - max(self._heard_at, self._listened_at) < SILENCE_S:
            return
        self._listened_at = now
        self._error = f"Kafka has acknowledged nothing for {now - self._heard_at:.0f} s"
        waiting = len(self._sender.on_the_way)
        topics = {topic_of(row.aggregate_type) for row in self._sender.on_the_way.values()}
        made = []
        try:
            made = [one for one in topics if ensure_topic(self._admin, one, self._topic_partitions, LOOK_S)[1]]
        except ServiceUnavailable as error:
            self._error += f": {error}"
        log.warning("%s; %d messages wait for it", self._error, waiting)
        if made:  # there, all of them would be first messages, and many of an aggregate at once
            self._sender.settle()
            self._forget()
            self._sender.begin_again()
            self._unpublished.look_at_all()

    def _fetch_and_send(self, stop: Stop) -> tuple[int, bool]:
        """Send a page of new rows, unless there is no room; how many there were, and whether all were sent."""
        if not self._sender.has_room or not self._leases.publishable or self._leases.lost:
            return 0, True
        rows = self._unpublished.page(self._leases.publishable, BATCH_ROWS, self._due)
        try:
            for topic in {topic_of(row.aggregate_type) for row in rows} - self._sender.partitions.keys():
                self._sender.partitions[topic], _ = ensure_topic(self._admin, topic, self._topic_partitions, LOOK_S)
        except ServiceUnavailable as error:
            self._unpublished.look_at_all()
            self._rest(str(error), stop)
            return 0, True
        all_sent = self._sender.send([row for row in rows if row.id not in self._sender.on_the_way])
        if not all_sent:
            self._unpublished.look_at_all()
        return len(rows), all_sent

    def _forget(self) -> None:
        """Forget in the outbox what Kafka has."""
        self._forgot_at = time.monotonic()
        ids = self._sender.take_acknowledged()
        if ids:
            self._heard_at = self._forgot_at
            mine = self._leases.epochs
            parameters = {
                "relay": self._leases.relay,
                "shards": array_text(mine.keys()),
                "epochs": array_text(mine.values()),
                "ids": array_text(ids),
            }
            forgotten = self._connection.execute(query("outbox_forget"), parameters)
            self._published += forgotten.rowcount
            self._sender.forget(ids)
            self._trouble_s = TROUBLE_SHORTEST_S

    def _take_note(self, seconds: float, stop: Stop) -> bool:
        """See what has become of messages, waiting so long at most; whether one has failed that was queued.

        Whose message was refused before it was queued is held back; after one that failed later, all begins again.
        """
        self._sender.wait(seconds)
        for row, error in self._sender.take_refused().items():
            self._hold(row, error)
        if not self._sender.failures and self._sender.broken is None:
            return False
        self._recover(stop)
        return True

    def _recover(self, stop: Stop) -> None:
        """After a failure: keep what was acknowledged, hold back whose message was refused, begin again from the rows.

        The broker refuses a batch for one message in it. Who was refused in company is sent alone the next time; who was
        alone is held back.
        """
        trouble = self._sender.broken or next(iter(self._sender.failures.values()))
        self._sender.settle()
        self._forget()
        refused = {one: error for one, error in self._sender.failures.items() if is_of_the_message(error)}
        alone = self._sender.suspects & refused.keys()
        for one in alone:
            self._hold(self._sender.on_the_way[one], refused[one])
        self._sender.suspects.update(refused.keys() - alone)
        self._sender.begin_again()
        self._unpublished.look_at_all()
        if not refused:  # else the rest has only failed with them
            self._rest(f"Kafka failed: {trouble.str()}", stop)

    def _hold(self, row: OutboxRow, error: KafkaError) -> None:
        reason = (
            f"Kafka refused outbox row {row.id} ({row.aggregate_type} {row.aggregate_id}, version {row.version}) for topic "
            f"{topic_of(row.aggregate_type)}: {error.str()}"
        )
        attempts, retry_at = hold(self._connection, UUID(row.aggregate_id), reason)
        self._due -= {UUID(row.aggregate_id)}
        self._error = reason
        then = f"it is tried again at {retry_at:%H:%M:%S}" if retry_at else "it is parked: see `eventlib outbox status`"
        log.warning("%s; refused %d times, %s", reason, attempts, then)

    def _rest(self, reason: str, stop: Stop) -> None:
        """Say what the trouble is, and do nothing but keep the leases for a while, the longer the longer it lasts."""
        self._error = reason
        log.warning("%s; what Kafka has not taken stays in the outbox and is tried again", reason)
        until = time.monotonic() + self._trouble_s
        self._trouble_s = min(self._trouble_s * 2, TROUBLE_LONGEST_S)
        while time.monotonic() < until and not stop.wait(0.1):
            self._keep_leases()
