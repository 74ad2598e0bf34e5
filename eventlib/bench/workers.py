"""Several processes at once, each with a connection of its own: one Python process can use one core only."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import Any, TypeVar

from eventlib.child_process import begin_child
from eventlib.store.connection import Connection, connect

MAX_WORKERS = 64
"""More than that measure a machine's scheduler, and each takes a connection and some 60 MB of memory."""

START_TIMEOUT_S = 120.0

Prepare = Callable[[Connection], Callable[[], None]]
"""Prepares work, untimed, and returns the work itself. A function of a module, so that it can be sent to another process;
its parameters are bound with `functools.partial`."""


T = TypeVar("T")


@dataclass(frozen=True)
class Spent:
    """What work took.

    Attributes:
        seconds: from the first worker that began to the last that was done.
        processor_seconds: of all workers together, without what the server took.
    """

    seconds: float
    processor_seconds: float


class Workers:
    """Processes that begin their work together."""

    def __init__(self, pool: ProcessPoolExecutor, number: int) -> None:
        self._pool = pool
        self.number = number

    def run(self, prepares: Sequence[Prepare]) -> Spent:
        """Let every worker do its work, all at once.

        Args:
            prepares: one for each worker.

        Raises:
            Exception: what a worker raised.
        """
        assert len(prepares) == self.number
        # Each of them waits for all others, so that no process can take two.
        works = [self._pool.submit(_timed, prepare) for prepare in prepares]
        errors = [error for work in works if (error := work.exception()) is not None]
        if errors:
            # Who waited for the one that failed has only heard that the others do not come.
            raise min(errors, key=lambda error: isinstance(error, threading.BrokenBarrierError))
        began, ended, processor = zip(*(work.result() for work in works))
        return Spent(max(ended) - min(began), sum(processor))

    def ask(self, question: Callable[[Connection], T]) -> T:
        """What one of the workers answers, in its process and on its connection. Raises what the question raises."""
        return self._pool.submit(_answered, question).result()


@contextmanager
def workers(url: str, number: int) -> Iterator[Workers]:
    """Start workers on a database; they end with the block, or with this process.

    Args:
        number: from 1 to `MAX_WORKERS`.
    """
    if not 1 <= number <= MAX_WORKERS:
        raise ValueError(f"{number} processes cannot be started: give a number from 1 to {MAX_WORKERS}")
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(number, timeout=START_TIMEOUT_S)
    with ProcessPoolExecutor(number, context, _begin, (url, barrier)) as pool:
        yield Workers(pool, number)


_mine: dict[str, Any] = {}


def _begin(url: str, barrier: Barrier) -> None:
    begin_child()
    _mine.update(connection=connect(url, "eventlib bench worker"), barrier=barrier)


def _answered(question: Callable[[Connection], T]) -> T:
    return question(_mine["connection"])


def _timed(prepare: Prepare) -> tuple[float, float, float]:
    """When this worker began and ended, on the clock that all processes of a machine share, and its processor's seconds."""
    try:
        work = prepare(_mine["connection"])
    except BaseException:
        _mine["barrier"].abort()
        raise
    _mine["barrier"].wait()
    began, processor = time.monotonic(), time.process_time()
    work()
    return began, time.monotonic(), time.process_time() - processor
