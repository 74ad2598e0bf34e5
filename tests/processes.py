"""Running eventlib as its users do: as a process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
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
