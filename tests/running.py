"""Running a worker in a thread of the test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from eventlib.stopping import Stop


class Worker(Protocol):
    """What has a loop that ends at a stop."""

    def run(self, stop: Stop) -> None: ...


@contextmanager
def running(worker: Worker) -> Iterator[None]:
    """The worker at work; at the end stopped."""
    stop = Stop()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()
