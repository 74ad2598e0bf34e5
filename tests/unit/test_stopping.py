"""A stop reaches a worker wherever it is."""

import os
import random
import signal
import threading

from eventlib.stopping import Stop


def test_a_signal_at_any_moment_of_a_wait_ends_it() -> None:
    for _ in range(300):
        stop = Stop()
        signal.signal(signal.SIGALRM, stop._on_signal)
        signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-4, 4e-3))
        while not stop.wait(0.0005):
            pass


def test_a_wait_ends_as_soon_as_it_is_set() -> None:
    stop = Stop()
    threading.Timer(0.05, stop.set).start()
    assert stop.wait(3600) and stop
    stop.set()
    assert stop.wait(3600)


def test_a_wait_without_a_stop_lasts() -> None:
    assert not Stop().wait(0.01)


def test_a_parent_that_is_not_ours_has_died() -> None:
    assert not Stop().with_parent(os.getppid())
    assert Stop().with_parent(os.getpid())
