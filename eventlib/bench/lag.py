"""`eventlib bench lag`: from commit to visible, at a steady load, and after an outage of the broker."""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import psutil

from eventlib.bench.filling import streams
from eventlib.bench.machine import server_facts
from eventlib.bench.measurement import Benchmark, Floor, Measurement, at_most
from eventlib.bench.order_mix import OrderMix
from eventlib.bench.pipelines import Pipeline, Visible, Work, running
from eventlib.bench.topic import bench_aggregate
from eventlib.embedded.kafka import EmbeddedKafka
from eventlib.errors import EventlibError
from eventlib.events import Event, Metadata
from eventlib.orders import ORDER
from eventlib.orders.projections import ORDER_PROJECTIONS
from eventlib.projections.tables import ensure_tables
from eventlib.store.bulk_load import Stream
from eventlib.store.connection import Connection, connect
from eventlib.store.database_clock import database_clock
from eventlib.store.event_store import Store
from eventlib.store.scratch_database import scratch_database
from eventlib.streaming.clients import KafkaAddress

MS, S = "ms", "s"
HALF, MOST = "half of the events visible within", "99 % of the events visible within"
BY_CDC = "with Debezium in the place of the relay, {}"
FRESH_AGAIN = "fresh again after {} s without a broker"
HALF_AIM_MS, MOST_AIM_MS = 8.0, 30.0
FRESH_MS = 200.0
"""What a read model promises; as long as an event takes longer, the read model is not fresh again."""
FRESH_FOR_S = 5.0
"""For so long everything has to be fresh again before that counts."""

WARM_UP_S = 5.0
"""A broker and processes that have just started are slow for some seconds."""
SETTLE_S = 30.0
RECOVERY_S = 120.0
"""Within which a pipeline has to be fresh again."""

MIX = OrderMix(orders=300, hot_share=0.0)

Advance = Callable[[int], None]

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
    cdc: bool = False,
    outage: int = 0,
    advance: Advance = lambda steps: None,
) -> Benchmark:
    """Append events at a steady rate, with a relay and a projector in processes of their own.

    Args:
        database_url: for a role that may create databases; the events go to a scratch database on the same server.
        kafka: where topics are made and deleted again.
        rate: events a second.
        seconds: that a round is measured for, after five to warm up.
        rounds: of which the medians are told.
        cdc: whether to measure Debezium in the place of the relay, too.
        outage: for how many seconds a broker of the benchmark's own is killed, once a round; 0 for not at all.
        advance: told how many of `steps(...)` seconds have gone by since the last call.

    Raises:
        EventlibError: an event did not become visible.
        SettingsError: Debezium cannot use this Kafka.
    """
    pipelines = [Pipeline.OWN, Pipeline.BARE, *([Pipeline.CDC] if cdc else [])]
    lags: dict[Pipeline, list[list[float]]] = {one: [] for one in pipelines}
    recoveries: dict[Pipeline, list[float]] = {Pipeline.OWN: [], Pipeline.BARE: []}
    server: dict[str, str] = {}
    for number in range(rounds):
        for pipeline in pipelines if number % 2 == 0 else reversed(pipelines):
            with _work(database_url, kafka, store_partitions, topic_partitions) as (work, connection):
                server = server_facts(connection)
                lags[pipeline].append(_steady(pipeline, work, rate, seconds, advance))
    for number in range(rounds if outage else 0):
        with _own_broker() as broker:
            for pipeline in recoveries if number % 2 == 0 else reversed(recoveries):
                address = KafkaAddress(broker.bootstrap)
                with _work(database_url, address, store_partitions, topic_partitions, keep=True) as (work, connection):
                    recoveries[pipeline].append(_recovery(pipeline, work, connection, broker, rate, outage, advance))
    results = _measurements(lags[Pipeline.OWN], lags[Pipeline.BARE])
    if cdc:
        results += [
            dataclasses.replace(one, case=BY_CDC.format(one.case), aims=[])
            for one in _measurements(lags[Pipeline.CDC], lags[Pipeline.BARE])
        ]
    if outage:
        floor = Floor(Pipeline.BARE.value, recoveries[Pipeline.BARE])
        results.append(Measurement(FRESH_AGAIN.format(outage), S, recoveries[Pipeline.OWN], [floor]))
    return Benchmark(
        "lag",
        f"One writer appends {rate:,} events a second, one an append, for {seconds} s after {WARM_UP_S:.0f} s that are not "
        "counted; a relay and a projector work in processes of their own. An event counts from the start of its transaction "
        "to the moment before the commit that makes it visible, both by the database's clock.",
        results,
        server,
        facts={"rate": rate, "events": sum(map(len, lags[Pipeline.OWN])), "outage_s": outage},
        notes=[
            f"'{Pipeline.BARE.value}': one polls the oldest rows every 3 ms, produces, waits and deletes; the other "
            "consumes, keeps every state in memory and writes. They have no leases, no gate, no offsets, and nothing "
            "survives them.",
            *([_OUTAGE_NOTE] if outage else []),
        ],
    )


_OUTAGE_NOTE = (
    "A broker of the benchmark's own is killed with SIGKILL while the writer goes on, and started again; counted from the "
    f"moment when a client gets an answer from it to the last event that took longer than {FRESH_MS:.0f} ms."
)


def steps(seconds: int, rounds: int, cdc: bool = False, outage: int = 0) -> int:
    """How many seconds a benchmark measures, warms up and does without a broker for."""
    steady = (3 if cdc else 2) * (seconds + WARM_UP_S)
    return round(rounds * (steady + (2 * (outage + WARM_UP_S) if outage else 0)))


def _measurements(lags: list[list[float]], bare: list[list[float]]) -> list[Measurement]:
    return [
        Measurement(
            case,
            MS,
            [_quantile(one, part) for one in lags],
            [Floor(Pipeline.BARE.value, [_quantile(one, part) for one in bare])],
            [at_most(aim_ms)],
        )
        for case, part, aim_ms in ((HALF, 0.5, HALF_AIM_MS), (MOST, 0.99, MOST_AIM_MS))
    ]


def _quantile(lags: list[float], part: float) -> float:
    return statistics.quantiles(lags, n=1000, method="inclusive")[round(part * 1000) - 1]


@contextmanager
def _work(
    database_url: str, kafka: KafkaAddress, store_partitions: int, topic_partitions: int, keep: bool = False
) -> Iterator[tuple[Work, Connection]]:
    with (
        scratch_database(database_url, store_partitions) as scratch,
        connect(scratch, "eventlib bench") as connection,
        bench_aggregate(kafka, topic_partitions, keep) as aggregate,
    ):
        ensure_tables(connection, [ORDER_PROJECTIONS])
        yield Work(scratch, kafka, aggregate.name, topic_partitions), connection


def _steady(pipeline: Pipeline, work: Work, rate: int, seconds: int, advance: Advance) -> list[float]:
    events = list(_events_of_many_orders(round(rate * (seconds + WARM_UP_S))))
    with running(pipeline, work) as visible:
        _append(work, rate, events, advance)
        deadline = time.monotonic() + SETTLE_S
        while len(visible) < len(events):
            if time.monotonic() > deadline:
                missing = len(events) - len(visible)
                raise EventlibError(f"{missing} of {len(events)} events did not become visible in {SETTLE_S:.0f} s")
            time.sleep(0.05)
        return [one.lag_ms for one in visible[-rate * seconds :]]


def _recovery(
    pipeline: Pipeline,
    work: Work,
    connection: Connection,
    broker: EmbeddedKafka,
    rate: int,
    outage: int,
    advance: Advance,
) -> float:
    events = list(_events_of_many_orders(round(rate * (WARM_UP_S + outage + RECOVERY_S))))
    stop = threading.Event()
    with running(pipeline, work) as visible, ThreadPoolExecutor(1) as pool:
        writing = pool.submit(_append, work, rate, events, lambda steps: None, stop)
        try:
            _pass(round(WARM_UP_S), advance)
            _kill(broker)
            _pass(outage, advance)
            broker.start()
            back = database_clock(connection).timestamp()
            return _fresh_after(back, connection, visible, RECOVERY_S)
        finally:
            stop.set()
            writing.result()


@contextmanager
def _own_broker() -> Iterator[EmbeddedKafka]:
    """A broker to be killed: nobody else's may be."""
    with tempfile.TemporaryDirectory(prefix="eventlib-bench-") as folder:
        broker = EmbeddedKafka(Path(folder))
        try:
            broker.start()
            yield broker
        finally:
            broker.stop()


def _kill(broker: EmbeddedKafka) -> None:
    process = psutil.Process(broker.status().pid)
    process.kill()
    process.wait(10)


def _pass(seconds: int, advance: Advance) -> None:
    for _ in range(seconds):
        time.sleep(1)
        advance(1)


def _fresh_after(back: float, connection: Connection, visible: Sequence[Visible], within_s: float) -> float:
    """How many seconds after `back` the last event became visible late."""
    late, looked_at = back, 0
    while True:
        time.sleep(0.1)
        now = database_clock(connection).timestamp()
        new = visible[looked_at:]
        looked_at += len(new)
        late = max([late, *(one.at for one in new if one.lag_ms > FRESH_MS)])
        if visible and visible[-1].at > late + FRESH_FOR_S:
            return late - back
        if now > back + within_s:
            raise EventlibError(f"the read model was not fresh again {within_s:.0f} s after the broker was back")


def _append(
    work: Work, rate: int, events: Sequence[OneEvent], advance: Advance, stop: threading.Event | None = None
) -> None:
    aggregate = dataclasses.replace(ORDER, name=work.aggregate_type)
    with Store.open(work.database_url, "eventlib bench writer") as store:
        began = time.perf_counter()
        for number, (stream_id, version, event, metadata) in enumerate(events, 1):
            if stop is not None and stop.is_set():
                return
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
