"""`eventlib bench project`: how fast a projector applies what stands in Kafka."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from confluent_kafka import Message

from eventlib.bench.machine import server_facts
from eventlib.bench.measurement import Benchmark, Floor, Measurement, at_least, interleaved
from eventlib.bench.topic import backlog, consume_all
from eventlib.errors import EventlibError
from eventlib.orders.order import Order
from eventlib.orders.projections import ORDER_PROJECTIONS
from eventlib.outbox.relay import Relay
from eventlib.projection import Projection
from eventlib.projections.projector import Projector
from eventlib.projections.rows import write_rows
from eventlib.projections.tables import ensure_tables
from eventlib.store.connection import Connection, connect
from eventlib.store.queries import query
from eventlib.streaming.clients import KafkaAddress
from eventlib.streaming.messages import incoming_event
from eventlib.streaming.topics import topic_of

UNIT = "events/s"
PROJECTED = "projector of {}, one process"
BARE = "bare loop: consume, fold in memory, write"
LIBRDKAFKA = "librdkafka alone, consuming"
AIM = 20_000.0
LOOPS_PER_ROUND = 3


def bench_project(
    database_url: str,
    kafka: KafkaAddress,
    store_partitions: int,
    topic_partitions: int,
    *,
    events: int,
    rounds: int,
    advance: Callable[[int], None] = lambda steps: None,
) -> Benchmark:
    """Apply a topic from its beginning to an empty table.

    Args:
        database_url: for a role that may create databases; the tables are in a scratch database on the same server.
        kafka: where a topic is made and deleted again.
        events: in the topic.
        rounds: of which the medians are told.
        advance: told how many of `LOOPS_PER_ROUND * rounds` loops were done since the last call.

    Raises:
        EventlibError: a loop did not apply every event, so that its duration would mean nothing.
    """
    with backlog(database_url, kafka, store_partitions, topic_partitions, events) as waiting:
        connection = waiting.connection
        projection = dataclasses.replace(ORDER_PROJECTIONS, aggregate=waiting.aggregate)
        ensure_tables(connection, [projection])
        with connect(waiting.database_url, "eventlib relay") as relaying:
            relay = Relay(relaying, kafka, topic_partitions)
            relay.publish_batch()
            relay.close()
        server = server_facts(connection)
        topic = topic_of(waiting.aggregate.name)

        def projected() -> float:
            _empty(connection)
            projector = Projector(connection, kafka, topic_partitions, projection)
            took = consume_all(kafka, topic, events, projector.apply)
            return _rate(connection, events, took, advance)

        def bare() -> float:
            _empty(connection)
            states: dict[object, tuple[int, Order]] = {}
            took = consume_all(kafka, topic, events, lambda batch: _apply_bare(connection, projection, states, batch))
            return _rate(connection, events, took, advance)

        def consumed() -> float:
            took = consume_all(kafka, topic, events, lambda batch: None)
            advance(1)
            return events / took

        projected_, bare_, consumed_ = interleaved(rounds, projected, bare, consumed)
    return Benchmark(
        "project",
        f"The topic holds {events:,} events of a mix of orders; each loop reads all of them from the beginning and leaves "
        "their rows in a table.",
        [
            Measurement(
                PROJECTED.format(ORDER_PROJECTIONS.name),
                UNIT,
                projected_,
                [Floor(BARE, bare_), Floor(LIBRDKAFKA, consumed_)],
                [at_least(AIM)],
            )
        ],
        server,
        facts={"events": events},
        notes=[
            f"'{BARE}' keeps every state in memory and never reads a row; it has neither gate nor offsets nor parking, and "
            "starts from nothing after a crash.",
            f"'{LIBRDKAFKA}' looks at no message.",
        ],
    )


def _empty(connection: Connection) -> None:
    for table in ("order_projections", "projection_offsets"):
        connection.execute(query("bench_truncate").format(table=table))


def _apply_bare(
    connection: Connection,
    projection: Projection[Order],
    states: dict[object, tuple[int, Order]],
    batch: Sequence[Message],
) -> None:
    touched = set()
    for message in batch:
        event = incoming_event(message)
        _, state = states.get(event.aggregate_id) or (0, projection.initial())
        for recorded in event.recorded(projection.aggregate):
            state = projection.apply(state, recorded)
        states[event.aggregate_id] = event.version, state
        touched.add(event.aggregate_id)
    rows = [projection.row_of(one, states[one][1], states[one][0]) for one in touched]
    write_rows(connection, projection, rows)


def _rate(connection: Connection, events: int, took: float, advance: Callable[[int], None]) -> float:
    applied = connection.execute(query("bench_applied")).fetchall()[0][0]
    if applied != events:
        raise EventlibError(f"{applied} of {events} events were applied: report this")
    advance(1)
    return events / took
