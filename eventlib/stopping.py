"""A graceful stop: a worker's loop asks between two batches whether it should end."""

from __future__ import annotations

import os
import select
import signal
from types import FrameType


class Stop:
    """Set by SIGTERM or SIGINT, by `set()`, or by the death of the process that started this one.

    It is made of a flag and a pipe. A `threading.Event` would not do: its lock is not reentrant, and a signal handler that
    sets it while the main thread waits on it blocks for ever.
    """

    def __init__(self) -> None:
        self._stopped = False
        self._parent: int | None = None
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)

    def __del__(self) -> None:
        os.close(self._woken)
        os.close(self._wake)

    def on_signals(self) -> Stop:
        """Stop at SIGTERM and SIGINT. To be called in the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        return self

    def with_parent(self, pid: int) -> Stop:
        """Stop when this process is no longer a child of `pid`: a supervisor that was killed cannot stop its workers.

        The pid comes from the supervisor itself, since by the time a worker could ask for it, it may be gone already.
        """
        self._parent = pid
        return self

    def set(self) -> None:
        """Stop, and wake whoever waits."""
        if not self._stopped:
            self._stopped = True
            os.write(self._wake, b"!")

    def wait(self, seconds: float) -> bool:
        """Sleep, but no longer than until the stop; whether to stop."""
        select.select([self._woken], [], [], seconds)
        return bool(self)

    def __bool__(self) -> bool:
        return self._stopped or (self._parent is not None and os.getppid() != self._parent)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.set()
