"""Change data capture in the place of the relays: what Debezium is told, who publishes, and the replication slot.

The connector reads inserts into the outbox from a replication slot; its event router makes of each the message that a relay
would make. Whoever publishes, the rows stay in the outbox until it is known that Kafka has them, so the two can take over
from each other at any time: what is not known to be published is published by the other one, at worst twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

from eventlib.errors import ServiceUnavailable
from eventlib.store.connection import Connection
from eventlib.store.epochs import epoch_began
from eventlib.store.log_identity import log_id
from eventlib.store.queries import query
from eventlib.streaming.messages import source_of

CONNECTOR = "eventlib-outbox"
PUBLICATION = "eventlib_outbox"
KEPT_WAL = "4GB"
"""How much the server keeps for a slot that nobody reads; beyond that the slot is lost, and `eventlib cdc down` lets the
relays publish what is left."""

HAND_OVER_S = 30.0
LATE_BYTES = 256 * 2**20
"""A slot that is so far behind is read too slowly, or by nobody."""

# The header of each column, in the order in which a relay writes them.
_HEADERS = {
    "ce_specversion": "ce_specversion",
    "event_id": "ce_id",
    "event_type": "ce_type",
    "aggregate_id": "ce_subject",
    "ce_time": "ce_time",
    "aggregate_type": "ce_aggregatetype",
    "version": "ce_aggregateversion",
    "schema_version": "ce_schemaversion",
    "position": "ce_position",
    "metadata": "metadata",
}
_DEBEZIUMS_OWN = (
    "id",
    *(f"__debezium.context.{name}" for name in ("connectorLogicalName", "connectorName", "taskId", "runId")),
)
_STRINGS = "org.apache.kafka.connect.storage.StringConverter"


@dataclass(frozen=True)
class SlotStatus:
    """The replication slot as the server sees it.

    Attributes:
        name: of the slot; None while the relays publish and no slot is there.
        exists: whether there is one.
        active: whether somebody reads from it now.
        behind_bytes: how much of the write-ahead log its reader has not confirmed.
        wal_status: `reserved`, `extended`, `unreserved` or `lost`; None without a slot.
        bounded: whether the server bounds what it keeps for slots.
    """

    name: str | None
    exists: bool
    active: bool
    behind_bytes: int
    wal_status: str | None
    bounded: bool

    @property
    def readable(self) -> bool:
        """Whether a connector can read from it."""
        return self.wal_status not in {None, "lost"}

    @property
    def problems(self) -> list[str]:
        """What keeps events from being published, or soon will."""
        if not self.exists:
            return [f"there is no slot {self.name}: `eventlib cdc down` lets the relays publish again"]
        if self.wal_status == "lost":
            return [
                f"the slot {self.name} was behind by more than the server keeps, and is lost: `eventlib cdc down`, and the "
                "relays publish what is in the outbox"
            ]
        found = [] if self.active else [f"nobody reads from the slot {self.name}"]
        if self.behind_bytes > LATE_BYTES or self.wal_status == "unreserved":
            found.append(f"the slot {self.name} is {self.behind_bytes / 2**20:,.0f} MiB behind")
        return found


def connector_config(log: UUID, slot: str, database: dict[str, str], topic_partitions: int) -> dict[str, str]:
    """What Debezium's PostgreSQL connector (3.7) is told.

    Args:
        log: which log's events they are.
        slot: from which it reads.
        database: where it is and who logs in: properties that begin with `database.` or `driver.`.
        topic_partitions: of a topic that Kafka Connect creates.
    """
    placement = ",".join(f"{column}:header:{header}" for column, header in _HEADERS.items())
    constants = {
        "source": ("ce_source", source_of(log).decode()),
        "contenttype": ("content-type", "application/json"),
    }
    config = {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "tasks.max": "1",
        **database,
        # Kafka Connect keeps offsets under this name: those of an earlier slot never count.
        "topic.prefix": slot,
        "plugin.name": "pgoutput",
        "slot.name": slot,
        "publication.name": PUBLICATION,
        "publication.autocreate.mode": "disabled",
        "table.include.list": "public.outbox",
        # What was there before the slot was published by the relays.
        "snapshot.mode": "no_data",
        "tombstones.on.delete": "false",
        "skipped.operations": "u,d,t",
        "heartbeat.interval.ms": "5000",
        "poll.interval.ms": "5",
        "key.converter": _STRINGS,
        "value.converter": _STRINGS,
        "header.converter": _STRINGS,
        # Topics of events as a relay would create them; that of the heartbeats need keep nothing for ever.
        "topic.creation.default.replication.factor": "-1",
        "topic.creation.default.partitions": str(topic_partitions),
        "topic.creation.default.retention.ms": "-1",
        "topic.creation.default.retention.bytes": "-1",
        "topic.creation.groups": "heartbeats",
        "topic.creation.heartbeats.include": "__debezium-heartbeat.*",
        "topic.creation.heartbeats.partitions": "1",
        "topic.creation.heartbeats.retention.ms": str(24 * 60 * 60 * 1000),
        # A producer that keeps order through its own retries, and gives up as late as a relay's.
        "producer.override.acks": "all",
        "producer.override.enable.idempotence": "true",
        "producer.override.max.in.flight.requests.per.connection": "1",
        "producer.override.delivery.timeout.ms": "2147483647",
        "producer.override.linger.ms": "1",
        "transforms": "heartbeats,outbox,drop," + ",".join(constants),
        "transforms.heartbeats.type": "org.apache.kafka.connect.transforms.RegexRouter",
        "transforms.heartbeats.predicate": "heartbeat",
        "transforms.heartbeats.regex": ".*",
        "transforms.heartbeats.replacement": "__debezium-heartbeat.eventlib",
        "transforms.outbox.type": "io.debezium.transforms.outbox.EventRouter",
        "transforms.outbox.table.field.event.id": "event_id",
        "transforms.outbox.table.field.event.key": "aggregate_id",
        "transforms.outbox.table.field.event.payload": "event_data",
        "transforms.outbox.route.by.field": "aggregate_type",
        "transforms.outbox.route.topic.replacement": "${routedByValue}.events",
        "transforms.outbox.table.fields.additional.placement": placement,
        "transforms.drop.type": "org.apache.kafka.connect.transforms.DropHeaders",
        "transforms.drop.headers": ",".join(_DEBEZIUMS_OWN),
        # Heartbeats are no events, and all go to one topic.
        "predicates": "heartbeat",
        "predicates.heartbeat.type": "org.apache.kafka.connect.transforms.predicates.TopicNameMatches",
        "predicates.heartbeat.pattern": "__debezium-heartbeat.*",
    }
    for name, (header, value) in constants.items():
        config[f"transforms.{name}.type"] = "org.apache.kafka.connect.transforms.InsertHeader"
        config[f"transforms.{name}.header"] = header
        config[f"transforms.{name}.value.literal"] = value
    for name in ("outbox", "drop", *constants):
        config[f"transforms.{name}.predicate"] = "heartbeat"
        config[f"transforms.{name}.negate"] = "true"
    return config


def hand_over_to_cdc(connection: Connection, between: Callable[[], None] = lambda: None) -> str:
    """Make a slot, let the relays publish what was committed before it, then take the publishing from them.

    To be called while the relays publish, and before the connector starts. When it fails or is interrupted, the relays go on
    publishing and the slot is dropped again.

    Args:
        connection: of a role that owns the outbox and may replicate.
        between: called while the relays work.

    Returns:
        The name of the slot. No slot has it twice, so nothing that was noted of one is ever taken for another's.

    Raises:
        ServiceUnavailable: the relays have not done so within 30 s, the slot was lost meanwhile, or the log has come here
            from elsewhere without `eventlib init`.
    """
    epoch_began(connection)  # it refuses a log that has moved and was not told so
    hand_over_to_relays(connection)  # one that was killed has left its slot behind
    if connection.execute(query("cdc_publication"), {"publication": PUBLICATION}).fetchone() is None:
        connection.execute(query("cdc_publish"))
    slot = f"{_slots_of(connection)}_{uuid4().hex[:8]}"
    try:
        connection.execute(query("cdc_slot_create"), {"slot": slot})
        before = {"snapshot": connection.execute(query("outbox_snapshot")).fetchall()[0][0]}
        _wait_until_none(
            lambda: connection.execute(query("outbox_visible"), before).fetchall()[0][0],
            "events of before the slot still wait to be published: run `eventlib run relay`, or see `eventlib outbox "
            "status` for those that are held back",
            between,
        )
        _wait_until_none(
            lambda: connection.execute(query("outbox_any_held")).fetchall()[0][0],
            "aggregates are held back, and Debezium holds nothing back: see `eventlib outbox status`, and `eventlib "
            "outbox unpark` lets them go",
            between,
        )
        connection.execute(query("publisher_set"), {"publisher": "cdc", "slot": slot})
        _wait_until_none(
            lambda: connection.execute(query("relay_shards_owned")).fetchall()[0][0],
            "relays still wait for Kafka to take what they have sent: see `eventlib outbox status`",
            between,
        )
        connection.execute(query("outbox_held_forget"))
        if not slot_status(connection).readable:
            raise ServiceUnavailable(
                f"the slot {slot} was lost during the hand-over, since the server keeps too little for it: raise "
                "max_slot_wal_keep_size; the relays go on publishing"
            )
    except BaseException:
        hand_over_to_relays(connection)
        raise
    return slot


def _wait_until_none(left: Callable[[], object], problem: str, between: Callable[[], None]) -> None:
    deadline = time.monotonic() + HAND_OVER_S
    while left():
        between()
        if time.monotonic() > deadline:
            raise ServiceUnavailable(f"after {HAND_OVER_S:.0f} s {problem}; the relays go on publishing")
        time.sleep(0.1)


def hand_over_to_relays(connection: Connection) -> None:
    """Let the relays publish all that is still in the outbox, and drop the slot, also one that was left over. To be called
    after the connector was stopped.

    Raises:
        ServiceUnavailable: the connector still reads from the slot.
    """
    slot = slot_status(connection)
    if slot.active:
        raise ServiceUnavailable(f"a connector still reads from the slot {slot.name}: stop it first")
    connection.execute(query("publisher_set"), {"publisher": "relay", "slot": None})
    connection.execute(query("cdc_slots_drop"), {"slots": _slots_of(connection)})


def slot_status(connection: Connection) -> SlotStatus:
    """How the slot is that change data capture publishes from; while the relays publish, one that was left over."""
    return SlotStatus(*connection.execute(query("cdc_slot"), {"slots": _slots_of(connection)}).fetchall()[0])


def _slots_of(connection: Connection) -> str:
    """What the names of a log's slots begin with: slots belong to the whole server, which may have several logs."""
    return f"{PUBLICATION}_{log_id(connection).hex[:12]}"


def publisher(connection: Connection) -> str:
    """Who publishes: `relay` or `cdc`."""
    found: str = connection.execute(query("outbox_publisher")).fetchall()[0][0]
    return found
