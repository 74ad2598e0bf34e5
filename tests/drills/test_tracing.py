"""A command's trace, followed over Kafka to the read models, as a real collector receives it."""

from __future__ import annotations

import gzip
import os
import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from eventlib.errors import InvalidEvent
from eventlib.orders import ORDER
from eventlib.orders.projections import PROJECTIONS
from eventlib.outbox.relay import Relay
from eventlib.store.event_store import Store
from eventlib.store.handle import handle
from tests.orders import CART, execute, metadata
from tests.processes import background, eventlib
from tests.push_service import push_service
from tests.waiting import wait_for


@contextmanager
def collector() -> Iterator[tuple[str, list[Any]]]:
    """An OTLP collector on loopback, and the spans that it has received."""
    spans: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    spans.extend(scope.spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", spans
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_trace_goes_from_the_command_to_every_read_model(store: Store, eventlib_environment: dict[str, str]) -> None:
    with collector() as (endpoint, spans):
        traced = {**eventlib_environment, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
        assert eventlib(traced, "simulate", "--orders", "2", "--seed", "3").returncode == 0
        done = eventlib(traced, "run", "all", "--until-caught-up")
        assert done.returncode == 0, done.stderr
    by_parent = defaultdict(list)
    for span in spans:
        by_parent[span.trace_id, span.parent_span_id].append(span)
    commands = [span for span in spans if span.name.startswith("command ")]
    # The simulator's hot orders are appended without commands, and so without traces.
    caused = dict(
        store.connection.execute(
            "SELECT left(metadata ->> 'traceparent', 52), count(*) FROM event_store "
            "WHERE metadata ? 'traceparent' GROUP BY 1"
        ).fetchall()
    )
    assert commands and caused
    followed = 0
    for command in commands:
        events = caused.get(f"00-{command.trace_id.hex()}-{command.span_id.hex()}", 0)
        children = by_parent[command.trace_id, command.span_id]
        # The simulator lets a rival win now and then, from within a command.
        after = [span for span in children if not span.name.startswith("command ")]
        names = [span.name for span in after]
        assert sorted(names) == sorted(["publish", *(f"project {one.name}" for one in PROJECTIONS)] * events)
        assert all(command.start_time_unix_nano < span.end_time_unix_nano for span in after)
        followed += bool(events)
    assert followed == len(caused)


def test_the_trace_of_the_caller_is_gone_on_with(store: Store, eventlib_environment: dict[str, str]) -> None:
    caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    about = metadata(traceparent=caller)
    assert msgspec.json.decode(msgspec.json.encode(about))["traceparent"] == caller
    execute(store, uuid4(), *CART)  # untraced: nothing is added
    assert store.connection.execute("SELECT count(*) FROM event_store WHERE metadata ? 'traceparent'").fetchall() == [
        (0,)
    ]
    with pytest.raises(InvalidEvent, match=r"metadata.traceparent is not one of version 00: 'mine'"):
        metadata(traceparent="mine")


def test_a_push_belongs_to_the_trace_of_its_command(
    store: Store, relay: Relay, eventlib_environment: dict[str, str]
) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    about = metadata(traceparent=f"00-{trace}-b7ad6b7169203331-01")
    order_id = uuid4()
    execute(store, order_id, *CART[:-1])
    handle(store, ORDER, order_id, CART[-1], about)
    relay.publish_batch()
    with collector() as (endpoint, spans), push_service() as phone:
        environment = {**eventlib_environment, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "EVENTLIB_PUSH_URL": phone.url}
        with background(environment, "run", "notifier"):
            wait_for(lambda: phone.delivered)
            wait_for(lambda: spans)
    (pushed,) = spans
    assert (pushed.name, pushed.trace_id.hex()) == ("notify order_notifications", trace)


TRACED = """
from eventlib import tracing
tracing.start_tracing()
with tracing.span("x") as traceparent:
    assert traceparent
for metadata in (b'{"traceparent": 7}', b'{"traceparent"', b'{"traceparent": "mine"}'):
    tracing.record("y", metadata, 0, {})
"""


def test_a_collector_that_does_not_answer_and_a_foreign_traceparent_are_no_trouble() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
        # By itself the exporter would try for ten seconds.
        subprocess.run([sys.executable, "-c", TRACED], env=environment, check=True, timeout=9)
