"""What a process that `multiprocessing` has started does first."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading

from eventlib.garbage_collection import collect_less_often


def begin_child() -> None:
    """Have this process end when, and only when, the one that has started it says so or is gone.

    A terminal interrupts everybody at once, and who was killed cannot end its workers.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    collect_less_often()
