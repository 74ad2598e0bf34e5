"""Running eventlib as its users do: as a process."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import psutil


def eventlib(
    environment: Mapping[str, str], *arguments: str, timeout_s: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run `eventlib` with arguments to its end."""
    return subprocess.run(
        [sys.executable, "-m", "eventlib", *arguments],
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@contextmanager
def on_terminal(environment: Mapping[str, str], *arguments: str, columns: int = 80) -> Iterator[Callable[[], str]]:
    """`eventlib` with arguments on a terminal of so many columns; what it has shown so far. At the end it is interrupted."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "eventlib", *arguments],
        env={**environment, "COLUMNS": str(columns), "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        os.set_blocking(ours, False)
        shown = b""

        def so_far() -> str:
            nonlocal shown
            try:
                while part := os.read(ours, 65536):
                    shown += part
            except OSError:  # nothing now, or the end
                pass
            return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode(errors="replace")).replace("\r", "")

        try:
            yield so_far
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
            os.close(ours)


@contextmanager
def background(environment: Mapping[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`eventlib` with arguments in the background; at the end stopped with SIGTERM if it still runs."""
    with subprocess.Popen(
        [sys.executable, "-m", "eventlib", *arguments],
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=60)


def workers_of(supervisor: subprocess.Popen[str]) -> dict[str, psutil.Process]:
    """The workers of a running `eventlib run all`, by name."""
    return {
        child.cmdline()[4]: child
        for child in psutil.Process(supervisor.pid).children()
        if child.status() != psutil.STATUS_ZOMBIE and len(child.cmdline()) > 4
    }
