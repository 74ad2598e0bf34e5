"""What the figures of a benchmark were measured on; no name or address of it."""

from __future__ import annotations

import os
import platform
from typing import Any

import psutil

from eventlib import __version__
from eventlib.store.connection import Connection
from eventlib.store.queries import query


def machine() -> dict[str, Any]:
    """The machine that runs this process."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        "eventlib": __version__,
    }


def server_facts(connection: Connection) -> dict[str, str]:
    """The server's version and those of its settings that decide how fast it can be."""
    return dict(connection.execute(query("bench_server")).fetchall())
