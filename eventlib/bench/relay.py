"""`eventlib bench relay`: how fast a backlog of the outbox gets to Kafka."""

from __future__ import annotations

import functools
import gc
import time
from collections.abc import Callable
from uuid import UUID

from eventlib.bench.machine import server_facts
from eventlib.bench.measurement import Benchmark, Floor, Measurement, at_least, interleaved
from eventlib.bench.topic import backlog, bare_relay, produce_all
from eventlib.errors import EventlibError
from eventlib.outbox.relay import Relay
from eventlib.outbox.unpublished import OutboxRow
from eventlib.store.connection import Connection, connect
from eventlib.store.log_identity import log_id
from eventlib.store.queries import query
from eventlib.streaming.clients import KafkaAddress
from eventlib.streaming.messages import OutgoingMessage, outgoing_message

UNIT = "events/s"
DRAIN = "relay, one process"
BARE = "bare loop: fetch, produce, wait, delete"
LIBRDKAFKA = "librdkafka alone, messages ready"
AIM = 0.8
LOOPS_PER_ROUND = 3


def bench_relay(
    database_url: str,
    kafka: KafkaAddress,
    store_partitions: int,
    topic_partitions: int,
    *,
    events: int,
    rounds: int,
    advance: Callable[[int], None] = lambda steps: None,
) -> Benchmark:
    """Drain an outbox.

    Args:
        database_url: for a role that may create databases; the events go to a scratch database on the same server.
        kafka: where a topic is made and deleted again.
        events: in the outbox.
        rounds: of which the medians are told.
        advance: told how many of `LOOPS_PER_ROUND * rounds` loops were done since the last call.

    Raises:
        EventlibError: a loop did not publish every event, so that its duration would mean nothing.
    """
    with backlog(database_url, kafka, store_partitions, topic_partitions, events) as waiting:
        connection = waiting.connection
        connection.execute(query("bench_outbox_keep"))
        server = server_facts(connection)
        identity = log_id(connection)
        rows = connection.execute(query("bench_outbox"), {"limit": events}).fetchall()
        messages = [outgoing_message(identity, *OutboxRow(*row)[2:]) for row in rows]
        del rows
        gc.freeze()  # what is held for the floor is not for the loops' garbage collections to go through

        def relayed() -> float:
            _refill(connection)
            with connect(waiting.database_url, "eventlib relay") as mine:
                relay = Relay(mine, kafka, topic_partitions)
                began = time.perf_counter()
                published = relay.publish_batch()
                took = time.perf_counter() - began
                relay.close()
            return _rate(events, published, took, advance)

        loops: list[Callable[[], float]] = [
            relayed,
            functools.partial(_bare, connection, kafka, identity, events, advance),
        ]
        alone = functools.partial(_librdkafka, kafka, messages, advance)
        drained, bare, librdkafka = interleaved(rounds, *loops, alone)
    return Benchmark(
        "relay",
        f"The outbox holds {events:,} events of a mix of orders; each loop gets all of them to Kafka, acknowledged by all "
        "replicas, and deletes them.",
        [Measurement(DRAIN, UNIT, drained, [Floor(BARE, bare), Floor(LIBRDKAFKA, librdkafka)], [at_least(AIM, BARE)])],
        server,
        facts={"events": events},
        notes=[
            f"'{BARE}' looks at the oldest rows and has no leases: it loses its place behind an idle transaction, and two "
            "of it would publish everything twice.",
            f"'{LIBRDKAFKA}' neither reads rows nor deletes them.",
        ],
    )


def _refill(connection: Connection) -> None:
    connection.execute(query("bench_outbox_refill"))
    connection.execute("VACUUM ANALYZE outbox")


def _rate(events: int, published: int, took: float, advance: Callable[[int], None]) -> float:
    if published != events:
        raise EventlibError(f"{published} of {events} events were published: report this")
    advance(1)
    return events / took


def _bare(
    connection: Connection, kafka: KafkaAddress, identity: UUID, events: int, advance: Callable[[int], None]
) -> float:
    _refill(connection)
    began = time.perf_counter()
    published = bare_relay(connection, kafka, identity, lambda done: done == events)
    return _rate(events, published, time.perf_counter() - began, advance)


def _librdkafka(kafka: KafkaAddress, messages: list[OutgoingMessage], advance: Callable[[int], None]) -> float:
    began = time.perf_counter()
    produce_all(kafka, messages)
    return _rate(len(messages), len(messages), time.perf_counter() - began, advance)
