"""The pipelines that `eventlib bench lag` compares, in processes of their own: each tells when events became visible."""

from __future__ import annotations

import dataclasses
import multiprocessing
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import Enum
from multiprocessing.connection import Connection as Pipe
from multiprocessing.synchronize import Event as Flag
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from eventlib.bench.topic import BATCH, bare_relay
from eventlib.child_process import begin_child
from eventlib.embedded.connect import EmbeddedConnect
from eventlib.errors import EventlibError, SettingsError
from eventlib.orders import ORDER
from eventlib.orders.order import Order
from eventlib.orders.projections import ORDER_PROJECTIONS
from eventlib.outbox.cdc import CONNECTOR, connector_config, hand_over_to_cdc, hand_over_to_relays
from eventlib.outbox.relay import Relay
from eventlib.pipeline.change_data_capture import database_properties
from eventlib.projection import Projection
from eventlib.projections.lag_record import LagRecord
from eventlib.projections.projector import Projector
from eventlib.projections.rows import write_rows
from eventlib.stopping import Stop
from eventlib.store.connection import Connection, connect
from eventlib.store.database_clock import database_clock
from eventlib.store.log_identity import log_id
from eventlib.streaming.clients import KafkaAddress, consumer, next_messages
from eventlib.streaming.messages import incoming_event
from eventlib.streaming.topics import topic_of

START_S = 30.0


class Pipeline(Enum):
    """What brings events from the outbox to the read model."""

    OWN = "relay and projector"
    CDC = "Debezium and projector"
    BARE = "bare loops, no promise kept"


class Visible(NamedTuple):
    """An event that can be read.

    Attributes:
        at: when it became visible, in seconds since 1970 by the database's clock.
        lag_ms: how long after the start of its transaction.
    """

    at: float
    lag_ms: float


class Work(NamedTuple):
    """What a pipeline works on: a scratch database, and the topic of an aggregate of the benchmark's own."""

    database_url: str
    kafka: KafkaAddress
    aggregate_type: str
    topic_partitions: int


@contextmanager
def running(pipeline: Pipeline, work: Work) -> Iterator[Sequence[Visible]]:
    """Run a pipeline; gives what has become visible so far, in that order, which grows meanwhile.

    Raises:
        EventlibError: it does not start.
        SettingsError: the embedded Kafka Connect cannot use this Kafka.
    """
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    receive, send = context.Pipe(duplex=False)
    # Beside Debezium the relay only deletes the rows that were published.
    members = (_bare_relay, _bare_projector) if pipeline is Pipeline.BARE else (_relay, _projector)
    processes = [context.Process(target=one, args=(stop, send, work), daemon=True) for one in members]
    for process in processes:
        process.start()

    found: list[Visible] = []

    def gather() -> None:  # from the beginning on: a full pipe would keep the projector waiting
        while not stop.is_set():
            if receive.poll(0.1):
                found.extend(receive.recv())

    gathering = threading.Thread(target=gather)
    try:
        for _ in processes:  # each says when it is ready
            if not receive.poll(START_S):
                raise EventlibError("a relay or projector did not start: report this")
            receive.recv()
        gathering.start()
        if pipeline is Pipeline.CDC:
            with _debezium(work):
                yield found
        else:
            yield found
    finally:
        stop.set()
        if gathering.ident is not None:
            gathering.join()
        for process in processes:
            process.join(20)
            if process.is_alive():
                process.kill()


@contextmanager
def _debezium(work: Work) -> Iterator[None]:
    if work.kafka.options:
        raise SettingsError("--cdc: the embedded Kafka Connect knows nothing of EVENTLIB_KAFKA_OPTIONS")
    with connect(work.database_url, "eventlib bench") as connection, tempfile.TemporaryDirectory() as folder:
        kafka_connect = EmbeddedConnect(Path(folder))
        try:
            slot = hand_over_to_cdc(connection)
            database = database_properties(work.database_url)
            config = connector_config(log_id(connection), slot, database, work.topic_partitions)
            # The topic of its heartbeats has the aggregate in its name, and goes with that.
            config["transforms.heartbeats.replacement"] = f"__debezium-heartbeat.{work.aggregate_type}"
            kafka_connect.run_connector(work.kafka.bootstrap, CONNECTOR, config)
            yield
        finally:
            kafka_connect.stop()
            hand_over_to_relays(connection)  # a database with a slot cannot be dropped


class _Stop(Stop):
    """Stops when the benchmark says so, or is gone."""

    def __init__(self, flag: Flag) -> None:
        super().__init__()
        threading.Thread(target=self._watch, args=(flag,), daemon=True).start()
        begin_child()

    def _watch(self, flag: Flag) -> None:
        flag.wait()
        self.set()


class _Told(LagRecord):
    """Tells every lag instead of counting it."""

    def __init__(self, send: Pipe) -> None:
        super().__init__("bench")
        self._send = send

    def add(self, visible_at: datetime, written: Iterable[tuple[int, datetime]]) -> None:
        self._send.send(_visible(visible_at, (recorded_at for _, recorded_at in written)))


def _visible(at: datetime, recorded_at: Iterable[datetime]) -> list[Visible]:
    return [Visible(at.timestamp(), (at - recorded).total_seconds() * 1000) for recorded in recorded_at]


def _projection(work: Work) -> Projection[Order]:
    return dataclasses.replace(ORDER_PROJECTIONS, aggregate=dataclasses.replace(ORDER, name=work.aggregate_type))


def _relay(flag: Flag, send: Pipe, work: Work) -> None:
    stop = _Stop(flag)
    with connect(work.database_url, "eventlib relay") as connection:
        relay = Relay(connection, work.kafka, work.topic_partitions)
        send.send(None)
        relay.run(stop)


def _projector(flag: Flag, send: Pipe, work: Work) -> None:
    stop = _Stop(flag)
    projection = _projection(work)
    with connect(work.database_url, "eventlib projector") as connection:
        projector = Projector(connection, work.kafka, work.topic_partitions, projection, _Told(send))
        send.send(None)
        projector.run(stop)


def _bare_relay(flag: Flag, send: Pipe, work: Work) -> None:
    stop = _Stop(flag)
    with connect(work.database_url, "eventlib bench") as connection:
        connection.execute("SET synchronous_commit TO off")
        send.send(None)
        bare_relay(connection, work.kafka, log_id(connection), lambda published: bool(stop))


def _bare_projector(flag: Flag, send: Pipe, work: Work) -> None:
    stop = _Stop(flag)
    projection = _projection(work)
    states: dict[UUID, Any] = {}
    with connect(work.database_url, "eventlib bench") as connection:
        connection.execute("SET synchronous_commit TO off")
        topic = topic_of(work.aggregate_type)
        source = consumer(work.kafka, topic)
        source.subscribe([topic])
        send.send(None)
        while not stop:
            batch = [incoming_event(message) for message in next_messages(source, BATCH, 0.1)]
            if not batch:
                continue
            for event in batch:
                state = states.get(event.aggregate_id, ORDER_PROJECTIONS.initial())
                for recorded in event.recorded(projection.aggregate):
                    state = projection.apply(state, recorded)
                states[event.aggregate_id] = state
            newest = {event.aggregate_id: event.version for event in batch}
            rows = [projection.row_of(one, states[one], version) for one, version in newest.items()]
            visible_at = _write(connection, projection, rows)
            send.send(_visible(visible_at, [event.recorded_at for event in batch]))
        source.close()


def _write(connection: Connection, projection: Any, rows: list[Any]) -> datetime:
    with connection.transaction():
        write_rows(connection, projection, rows)
        return database_clock(connection)
