"""`eventlib bench lag`: from commit to visible, at a steady load."""

from __future__ import annotations

import dataclasses
import multiprocessing
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from multiprocessing.connection import Connection as Pipe
from multiprocessing.synchronize import Event as Flag
from typing import Any
from uuid import UUID

from eventlib.bench.filling import streams
from eventlib.bench.machine import server_facts
from eventlib.bench.measurement import Benchmark, Floor, Measurement, at_most
from eventlib.bench.order_mix import OrderMix
from eventlib.bench.topic import BATCH, bare_relay, bench_aggregate
from eventlib.errors import EventlibError
from eventlib.events import Event, Metadata
from eventlib.orders import ORDER
from eventlib.orders.projections import ORDER_PROJECTIONS
from eventlib.outbox.relay import Relay
from eventlib.projections.lag_record import LagRecord
from eventlib.projections.projector import Projector
from eventlib.projections.rows import write_rows
from eventlib.projections.tables import ensure_tables
from eventlib.stopping import Stop, end_with_parent
from eventlib.store.bulk_load import Stream
from eventlib.store.connection import Connection, connect
from eventlib.store.database_clock import database_clock
from eventlib.store.event_store import Store
from eventlib.store.log_identity import log_id
from eventlib.store.scratch_database import scratch_database
from eventlib.streaming.clients import KafkaAddress, consumer, next_messages
from eventlib.streaming.messages import incoming_event
from eventlib.streaming.topics import topic_of

UNIT = "ms"
HALF, MOST = "half of the events visible within", "99 % of the events visible within"
BARE = "bare loops, no promise kept"
HALF_AIM_MS, MOST_AIM_MS = 8.0, 30.0
WARM_UP_S = 5.0
"""A broker and processes that have just started are slow for some seconds."""

SETTLE_S = 30.0

MIX = OrderMix(orders=300, hot_share=0.0)

Lags = list[float]

OneEvent = tuple[UUID, int, Event, Metadata]
"""A stream, its version before the event, the event, and its metadata."""


def bench_lag(
    database_url: str,
    kafka: KafkaAddress,
    store_partitions: int,
    topic_partitions: int,
    *,
    rate: int,
    seconds: int,
    rounds: int,
    advance: Callable[[int], None] = lambda steps: None,
) -> Benchmark:
    """Append events at a steady rate, with a relay and a projector in processes of their own.

    Args:
        database_url: for a role that may create databases; the events go to a scratch database on the same server.
        kafka: where topics are made and deleted again.
        rate: events a second.
        seconds: that a round is measured for, after five to warm up.
        rounds: of which the medians are told.
        advance: told how many of `steps(seconds, rounds)` seconds have gone by since the last call.

    Raises:
        EventlibError: an event did not become visible.
    """
    measured: dict[bool, list[Lags]] = {True: [], False: []}
    server: dict[str, str] = {}
    for number in range(rounds):
        for bare in (False, True) if number % 2 == 0 else (True, False):
            with scratch_database(database_url, store_partitions) as scratch, connect(scratch) as connection:
                ensure_tables(connection, [ORDER_PROJECTIONS])
                server = server_facts(connection)
                with bench_aggregate(kafka, topic_partitions) as aggregate:
                    measured[bare].append(
                        _round(scratch, kafka, aggregate.name, topic_partitions, bare, rate, seconds, advance)
                    )
    own, floor = measured[False], measured[True]
    return Benchmark(
        "lag",
        f"One writer appends {rate:,} events a second, one an append, for {seconds} s after {WARM_UP_S:.0f} s that are not "
        "counted; a relay and a projector work in processes of their own. An event counts from the start of its transaction "
        "to the moment before the commit that makes it visible, both by the database's clock.",
        [
            _measurement(HALF, 0.5, own, floor, HALF_AIM_MS),
            _measurement(MOST, 0.99, own, floor, MOST_AIM_MS),
        ],
        server,
        facts={"rate": rate, "events": sum(map(len, own))},
        notes=[
            f"'{BARE}': one polls the oldest rows every 3 ms, produces, waits and deletes; the other consumes, keeps every "
            "state in memory and writes. They have no leases, no gate, no offsets, and nothing survives them."
        ],
    )


def steps(seconds: int, rounds: int) -> int:
    """How many seconds a benchmark measures and warms up for."""
    return round(2 * rounds * (seconds + WARM_UP_S))


def _measurement(case: str, part: float, own: list[Lags], bare: list[Lags], aim_ms: float) -> Measurement:
    floor = Floor(BARE, [_quantile(one, part) for one in bare])
    return Measurement(case, UNIT, [_quantile(one, part) for one in own], [floor], [at_most(aim_ms)])


def _quantile(lags: Lags, part: float) -> float:
    return statistics.quantiles(lags, n=1000, method="inclusive")[round(part * 1000) - 1]


def _round(
    url: str,
    kafka: KafkaAddress,
    aggregate_type: str,
    topic_partitions: int,
    bare: bool,
    rate: int,
    seconds: int,
    advance: Callable[[int], None],
) -> Lags:
    work = (url, kafka, aggregate_type, topic_partitions)
    events = list(_events_of_many_orders(round(rate * (seconds + WARM_UP_S))))
    with _processes(_bare_relay if bare else _relay, _bare_projector if bare else _projector, work) as lags:
        with Store.open(url, "eventlib bench writer") as store:
            _append(store, aggregate_type, rate, events, advance)
        found = lags(len(events))
    return found[-rate * seconds :]


def _append(
    store: Store, aggregate_type: str, rate: int, events: Sequence[OneEvent], advance: Callable[[int], None]
) -> None:
    aggregate = dataclasses.replace(ORDER, name=aggregate_type)
    began = time.perf_counter()
    for number, (stream_id, version, event, metadata) in enumerate(events, 1):
        store.append(aggregate, stream_id, version, [event], metadata)
        if number % rate == 0:
            advance(1)
        # Open loop: an append that took long does not keep the next one waiting for longer than it has to.
        time.sleep(max(0.0, began + number / rate - time.perf_counter()))


def _events_of_many_orders(events: int) -> Iterator[OneEvent]:
    """The events of many orders in turn, as customers send them: twenty orders go on at a time."""
    waiting = streams(MIX.histories(), events)
    present: list[Iterator[OneEvent]] = []
    while True:
        while len(present) < 20 and (order := next(waiting, None)) is not None:
            present.append(_events_of(order))
        if not present:
            return
        for lane in list(present):
            event = next(lane, None)
            if event is None:
                present.remove(lane)
            else:
                yield event


def _events_of(order: Stream) -> Iterator[OneEvent]:
    assert not isinstance(order.metadata, Metadata)
    for version, (event, metadata) in enumerate(zip(order.events, order.metadata)):
        yield order.aggregate_id, version, event, metadata


@contextmanager
def _processes(
    relay: Callable[..., None], projector: Callable[..., None], work: tuple[Any, ...]
) -> Iterator[Callable[[int], Lags]]:
    """Run a relay and a projector; gives what waits for so many lags."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    receive, send = context.Pipe(duplex=False)
    running = [context.Process(target=one, args=(stop, send, *work), daemon=True) for one in (relay, projector)]
    for process in running:
        process.start()

    found: Lags = []

    def gather() -> None:  # from the beginning on: a full pipe would keep the projector waiting
        while not stop.is_set():
            if receive.poll(0.1):
                found.extend(receive.recv())

    def lags(wanted: int) -> Lags:
        deadline = time.monotonic() + SETTLE_S
        while len(found) < wanted:
            if time.monotonic() > deadline:
                raise EventlibError(
                    f"{wanted - len(found)} of {wanted} events did not become visible in {SETTLE_S:.0f} s"
                )
            time.sleep(0.05)
        return found

    gathering = threading.Thread(target=gather)
    try:
        for _ in running:  # each says when it is ready
            if not receive.poll(SETTLE_S):
                raise EventlibError("a relay or projector did not start: report this")
            receive.recv()
        gathering.start()
        yield lags
    finally:
        stop.set()
        if gathering.ident is not None:
            gathering.join()
        for process in running:
            process.join(20)
            if process.is_alive():
                process.kill()


class _Stop(Stop):
    """Stops when the benchmark says so, or is gone."""

    def __init__(self, flag: Flag) -> None:
        super().__init__()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=self._watch, args=(flag,), daemon=True).start()
        end_with_parent()

    def _watch(self, flag: Flag) -> None:
        flag.wait()
        self.set()


class _Told(LagRecord):
    """Tells every lag instead of counting it."""

    def __init__(self, send: Pipe) -> None:
        super().__init__("bench")
        self._send = send

    def add(self, visible_at: datetime, written: Iterable[tuple[int, datetime]]) -> None:
        self._send.send([(visible_at - recorded_at).total_seconds() * 1000 for _, recorded_at in written])


def _relay(flag: Flag, send: Pipe, url: str, kafka: KafkaAddress, aggregate_type: str, topic_partitions: int) -> None:
    stop = _Stop(flag)
    with connect(url, "eventlib relay") as connection:
        relay = Relay(connection, kafka, topic_partitions)
        send.send(None)
        relay.run(stop)


def _projector(
    flag: Flag, send: Pipe, url: str, kafka: KafkaAddress, aggregate_type: str, topic_partitions: int
) -> None:
    stop = _Stop(flag)
    projection = dataclasses.replace(ORDER_PROJECTIONS, aggregate=dataclasses.replace(ORDER, name=aggregate_type))
    with connect(url, "eventlib projector") as connection:
        projector = Projector(connection, kafka, topic_partitions, projection, _Told(send))
        send.send(None)
        projector.run(stop)


def _bare_relay(
    flag: Flag, send: Pipe, url: str, kafka: KafkaAddress, aggregate_type: str, topic_partitions: int
) -> None:
    stop = _Stop(flag)
    with connect(url, "eventlib bench") as connection:
        connection.execute("SET synchronous_commit TO off")
        send.send(None)
        bare_relay(connection, kafka, log_id(connection), lambda published: bool(stop))


def _bare_projector(
    flag: Flag, send: Pipe, url: str, kafka: KafkaAddress, aggregate_type: str, topic_partitions: int
) -> None:
    stop = _Stop(flag)
    projection = dataclasses.replace(ORDER_PROJECTIONS, aggregate=dataclasses.replace(ORDER, name=aggregate_type))
    states: dict[UUID, Any] = {}
    with connect(url, "eventlib bench") as connection:
        connection.execute("SET synchronous_commit TO off")
        source = consumer(kafka, topic_of(aggregate_type))
        source.subscribe([topic_of(aggregate_type)])
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
            send.send(_written(connection, projection, rows, [event.recorded_at for event in batch]))
        source.close()


def _written(connection: Connection, projection: Any, rows: list[Any], recorded_at: list[datetime]) -> Lags:
    with connection.transaction():
        write_rows(connection, projection, rows)
        visible_at = database_clock(connection)
    return [(visible_at - at).total_seconds() * 1000 for at in recorded_at]
