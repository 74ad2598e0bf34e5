"""The far end of pushes: an HTTP service that keeps what it gets and answers what it is told to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass
class PushService:
    """What has arrived, and how the next request is answered.

    Attributes:
        requests: every request that came, with its key, in order.
        delivered: what a phone would have shown: one for each key.
        answer: `(number of the request, from 1) -> status code`; called before the answer is sent, and may kill somebody.
        answer_to: `recipient -> status code`, which counts where it is not None.
        headers: of every answer, beside its length.
        bodies: the pieces of the body that every answer has, as they are sent; without an end if they have none.
    """

    url: str = ""
    requests: list[tuple[str, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    delivered: dict[str, dict[str, Any]] = field(default_factory=dict)
    answer: Callable[[int], int] = lambda number: 200
    answer_to: Callable[[str], int | None] = lambda recipient: None
    headers: dict[str, str] = field(default_factory=dict)
    bodies: Callable[[], Iterator[bytes]] = lambda: iter(())

    @property
    def by_key(self) -> Counter[str]:
        """How often each key came."""
        return Counter(key for key, _, _ in self.requests)

    @property
    def recipients(self) -> list[str]:
        """To whom each request was, in order."""
        return [body["recipient"] for _, body, _ in self.requests]


@contextmanager
def push_service() -> Iterator[PushService]:
    """A push service on loopback, for as long as the block lasts."""
    service = PushService()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            key = self.headers["Idempotency-Key"]
            service.requests.append((key, body, dict(self.headers)))
            status = service.answer_to(body["recipient"]) or service.answer(len(service.requests))
            if status == 200:
                service.delivered.setdefault(key, body)
            self.send_response(status)
            for name, value in service.headers.items():
                self.send_header(name, value)
            self.end_headers()  # without a length the body ends with the connection
            try:
                for piece in service.bodies():
                    self.wfile.write(piece)
                    self.wfile.flush()
            except OSError:  # the caller has heard enough
                pass

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_address[1]}/send"
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
