"""One process tree for the workers: started together, restarted with back-off, stopped together."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eventlib.stopping import Stop

POLL_S = 0.1
STOP_TIMEOUT_S = 20.0
STEADY_S = 10.0
"""A worker that has lived this long starts again with the shortest pause."""

log = logging.getLogger(__name__)


@dataclass
class _Worker:
    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes]
    started: float
    failures: int = 0
    due: float | None = None
    """When it is to be started again, on the monotonic clock; None while it runs."""


class Supervisor:
    """Runs workers as child processes. A worker that ends is started again, sooner the longer it had lived."""

    def __init__(self, commands: Mapping[str, Sequence[str]]) -> None:
        """Start every worker.

        Args:
            commands: by the worker's name, the arguments of `eventlib` that run it.
        """
        self._workers = [self._started(name, command) for name, command in commands.items()]

    def tend(self) -> None:
        """Look after the workers once: notice who ended, start who is due."""
        now = time.monotonic()
        for worker in self._workers:
            if worker.due is None and (code := worker.process.poll()) is not None:
                worker.failures = 1 if now - worker.started > STEADY_S else worker.failures + 1
                pause = _pause(worker.failures)
                worker.due = now + pause
                log.warning("%s ended with %d; it is started again in %.1f s", worker.name, code, pause)
            elif worker.due is not None and now >= worker.due:
                again = self._started(worker.name, worker.command)
                worker.process, worker.started, worker.due = again.process, again.started, None

    def run(self, stop: Stop) -> None:
        """Tend the workers until `stop`; stop them then."""
        while not stop.wait(POLL_S):
            self.tend()

    def stop(self) -> bool:
        """Stop all workers gracefully, and by force who has not ended after 20 s; whether no force was needed."""
        running = [worker for worker in self._workers if worker.process.poll() is None]
        for worker in running:
            worker.process.terminate()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        clean = True
        for worker in running:
            try:
                worker.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.error("%s did not stop within %.0f s and was killed", worker.name, STOP_TIMEOUT_S)
                worker.process.kill()
                worker.process.wait()
                clean = False
        return clean

    def _started(self, name: str, command: Sequence[str]) -> _Worker:
        process = subprocess.Popen(  # noqa: S603  the command is ours
            [sys.executable, "-m", "eventlib", *command], stdin=subprocess.DEVNULL
        )
        return _Worker(name, command, process, time.monotonic())


def _pause(failures: int) -> float:
    """Seconds to wait after so many failures in a row: 0.5, 1, 2, 4 and so on, at most 30."""
    return min(0.5 * 2.0 ** (failures - 1), 30.0)
