"""Change data capture from end to end: the slot, who publishes, and the embedded Kafka Connect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from eventlib.embedded.connect import Connector, EmbeddedConnect
from eventlib.embedded.service import ServiceStatus
from eventlib.errors import ServiceUnavailable, SettingsError
from eventlib.outbox.cdc import (
    CONNECTOR,
    KEPT_WAL,
    SlotStatus,
    connector_config,
    hand_over_to_cdc,
    hand_over_to_relays,
    publisher,
    slot_status,
)
from eventlib.store.connection import Connection
from eventlib.store.log_identity import log_id
from eventlib.store.queries import query
from eventlib.store.single_worker import has_turn
from eventlib.streaming.clients import KafkaAddress, reach
from eventlib.streaming.topics import ensure_topic, topic_of


@dataclass(frozen=True)
class CdcStatus:
    """How change data capture is.

    Attributes:
        publisher: `relay` or `cdc`.
        slot: as the server sees it.
        connect: the embedded Kafka Connect.
        connector: what that says of its connector; None when it says nothing.
        depth: rows in the outbox.
        oldest_s: age of the oldest that nothing holds back, in seconds.
    """

    publisher: str
    slot: SlotStatus
    connect: ServiceStatus
    connector: Connector | None
    depth: int
    oldest_s: float

    @property
    def problems(self) -> list[str]:
        """What keeps events from being published; while the relays publish, a slot for which the server keeps everything."""
        if self.publisher != "cdc":
            left_over = (
                f"the slot {self.slot.name} was left over, and the server keeps write-ahead log for it: `eventlib cdc "
                "down` drops it, unless `eventlib cdc up` is at work"
            )
            return [left_over] if self.slot.exists else []
        found = list(self.slot.problems)
        if self.connector is not None and self.connector.state != "RUNNING":
            found.append(f"the connector is {self.connector.state}: {self.connector.error or 'it does not say why'}")
        elif self.connector is None and self.connect.health == "broken":
            found.append(self.connect.detail)
        return found


def cdc_up(
    connection: Connection,
    connect: EmbeddedConnect | None,
    owner_url: str,
    kafka: KafkaAddress,
    aggregate_types: list[str],
    topic_partitions: int,
) -> dict[str, str]:
    """Have change data capture publish instead of the relays; may be called again when it does already.

    Args:
        connection: of the role that owns the schema and may replicate.
        connect: is started with the connector; None when the user has a Kafka Connect.

    Returns:
        The configuration of the connector.

    Raises:
        ServiceUnavailable: the relays do not finish, and go on publishing; or the slot was lost or the connector does not
            run, and after `cdc_down` the relays publish. Nothing is lost.
        SettingsError: the embedded Kafka Connect cannot use this Kafka.
    """
    if connect is not None and kafka.options:
        raise SettingsError(
            "the embedded Kafka Connect knows nothing of EVENTLIB_KAFKA_OPTIONS: run `eventlib cdc up --no-connect`, and "
            "give a Kafka Connect of your own what `eventlib cdc config` says"
        )
    admin = reach(kafka)
    for aggregate_type in aggregate_types:  # with as many partitions as a relay would give it
        ensure_topic(admin, topic_of(aggregate_type), topic_partitions)
    _take_turn(connection)
    if publisher(connection) != "cdc":
        if connection.execute(query("cdc_may_bound")).fetchall()[0][0]:
            connection.execute(sql.SQL("ALTER SYSTEM SET max_slot_wal_keep_size TO {}").format(sql.Literal(KEPT_WAL)))
            connection.execute("SELECT pg_reload_conf()")
        hand_over_to_cdc(connection)
    elif not (slot := slot_status(connection)).readable:
        raise ServiceUnavailable("; ".join(slot.problems))
    config = cdc_config(connection, owner_url, topic_partitions)
    if connect is not None:
        connect.run_connector(kafka.bootstrap, CONNECTOR, config)
    return config


def cdc_config(connection: Connection, owner_url: str, topic_partitions: int) -> dict[str, str]:
    """The configuration of the connector that reads from the present slot.

    Raises:
        ServiceUnavailable: the relays publish, so there is no slot to read from.
    """
    slot = slot_status(connection).name
    if slot is None or publisher(connection) != "cdc":
        raise ServiceUnavailable(
            "the relays publish, and the connector's configuration names a slot that is made when they hand over: run "
            "`eventlib cdc up --no-connect` first"
        )
    return connector_config(log_id(connection), slot, database_properties(owner_url), topic_partitions)


def cdc_down(connection: Connection, connect: EmbeddedConnect) -> bool:
    """Have the relays publish again; whether change data capture did. A slot that was left over is dropped either way.

    Raises:
        ServiceUnavailable: a Kafka Connect of the user's own still reads from the slot.
    """
    _take_turn(connection)
    connect.stop()
    was = publisher(connection) == "cdc"
    hand_over_to_relays(connection)
    return was


def cdc_status(connection: Connection, connect: EmbeddedConnect) -> CdcStatus:
    """Look at all of it."""
    depth, oldest_s = connection.execute(query("outbox_backlog")).fetchall()[0]
    health = connect.status()
    connector = connect.connector(CONNECTOR) if health.health == "healthy" else None
    return CdcStatus(publisher(connection), slot_status(connection), health, connector, depth, oldest_s)


def _take_turn(connection: Connection) -> None:
    if not has_turn(connection, "change data capture"):
        raise ServiceUnavailable("another `eventlib cdc up` or `eventlib cdc down` is at work: wait until it has ended")


def database_properties(url: str) -> dict[str, str]:
    """How Debezium logs in to the database of a libpq URL; through a Unix socket where that is what the URL names."""
    parts: dict[str, Any] = conninfo_to_dict(url)
    host, port = str(parts.get("host", "localhost")), str(parts.get("port", 5432))
    found = {
        "database.hostname": host,
        "database.port": port,
        "database.user": str(parts.get("user", "")),
        "database.password": str(parts.get("password", "")),
        "database.dbname": str(parts.get("dbname", "")),
    }
    if host.startswith("/"):
        found |= {
            "database.hostname": "localhost",
            "driver.socketFactory": "org.newsclub.net.unix.AFUNIXSocketFactory$FactoryArg",
            "driver.socketFactoryArg": f"{host}/.s.PGSQL.{port}",
            "driver.sslmode": "disable",
        }
    elif "sslmode" in parts:
        found["database.sslmode"] = str(parts["sslmode"])
    return found
