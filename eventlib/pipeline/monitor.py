"""The monitor: /metrics for a collector, /ready and /live for who decides whether to send traffic here."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from eventlib.errors import EventlibError, ServiceUnavailable
from eventlib.notification import Notifications
from eventlib.pipeline.openmetrics import metrics
from eventlib.pipeline.readiness import Readiness, readiness
from eventlib.pipeline.signals import Signals, take_signals
from eventlib.projection import Projection
from eventlib.stopping import Stop
from eventlib.store.connection import connect
from eventlib.store.metrics import SHARED
from eventlib.streaming.clients import KafkaAddress, reach

FRESH_S = 0.5
"""For how long what was seen serves further requests."""

log = logging.getLogger(__name__)


class Monitor:
    """Looks at the pipeline when it is asked to, through connections of its own."""

    def __init__(
        self,
        database_url: str,
        kafka: KafkaAddress,
        projections: Sequence[Projection[Any]],
        within_s: float,
        notifications: Notifications[Any] | None = None,
        notifying: bool = False,
    ) -> None:
        """Nothing is connected yet.

        Args:
            within_s: see `readiness`.
            notifications: see `take_signals`, as `notifying`.
        """
        self._notifications = notifications
        self._notifying = notifying
        self._database_url = database_url
        self._kafka = kafka
        self._projections = projections
        self._within_s = within_s
        self._looking = threading.Lock()
        self._seen: tuple[float, Signals | None, list[Readiness]] | None = None

    def look(self) -> tuple[Signals | None, list[Readiness]]:
        """The signals, and whether each part is ready; without signals, which server could not be asked."""
        with self._looking:
            if self._seen is None or time.monotonic() - self._seen[0] > FRESH_S:
                found = self._look()
                # Fresh from here on: who has waited meanwhile takes it as it is.
                self._seen = (time.monotonic(), *found)
            return self._seen[1:]

    def _look(self) -> tuple[Signals | None, list[Readiness]]:
        try:
            # Connections of the moment: a server that was restarted is seen again at the next look.
            with connect(self._database_url, "eventlib monitor") as connection:
                connection.execute("SET statement_timeout TO '5s'")
                admin = reach(self._kafka)
                wanted = (self._projections, self._notifications, self._notifying)
                signals = take_signals(connection, self._kafka, admin, *wanted)
        except (EventlibError, psycopg.Error) as error:
            return None, [Readiness("servers", False, str(error).strip())]
        return signals, readiness(signals, self._within_s)


class _Collector(Collector):
    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def collect(self) -> Iterable[Metric]:
        signals, parts = self._monitor.look()
        return metrics(signals, parts)


def application(monitor: Monitor) -> Starlette:
    """The pages of a monitor."""
    registry = CollectorRegistry(auto_describe=False)
    if os.environ.get(SHARED):  # a monitor loads nothing: of its own it has nothing to tell
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(_Collector(monitor))

    def show_metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), media_type=content_type)

    def show_readiness(request: Request) -> Response:
        _, parts = monitor.look()
        ready = all(part.ready for part in parts)
        body = {"ready": ready, "parts": {part.part: {"ready": part.ready, "finding": part.finding} for part in parts}}
        return JSONResponse(body, 200 if ready else 503)

    async def show_life(request: Request) -> Response:  # needs no thread: all may be looking
        return PlainTextResponse("alive\n")

    return Starlette(
        routes=[Route("/metrics", show_metrics), Route("/ready", show_readiness), Route("/live", show_life)]
    )


def run_monitor(monitor: Monitor, host: str, port: int, stop: Stop) -> None:
    """Serve the pages until `stop`.

    Raises:
        ServiceUnavailable: the port is taken.
    """
    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        raise ServiceUnavailable(
            f"the monitor cannot listen on {host}:{port}: {error}; EVENTLIB_MONITOR_PORT chooses another port"
        ) from None
    server = uvicorn.Server(uvicorn.Config(application(monitor), log_level="warning", access_log=False))
    serving = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    serving.start()
    log.info("monitoring on http://%s:%d: /metrics, /ready, /live", host, port)
    while not stop.wait(0.2) and serving.is_alive():
        pass
    server.should_exit = True
    serving.join()
