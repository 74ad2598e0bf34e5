"""Connections to PostgreSQL: fail in seconds with the reason, speak UTC, commit each statement."""

from __future__ import annotations

from typing import Any

import psycopg

from eventlib.errors import ServiceUnavailable
from eventlib.settings import without_password

CONNECT_TIMEOUT_S = 5
MINIMUM_SERVER_VERSION = 160000

Connection = psycopg.Connection[tuple[Any, ...]]


def connect(url: str, application_name: str = "eventlib") -> Connection:
    """Open a connection in autocommit mode, with the session's time zone set to UTC.

    Args:
        url: a libpq URL.
        application_name: what `pg_stat_activity` shows.

    Raises:
        ServiceUnavailable: the server does not answer within 5 s, refuses the login, or is older than PostgreSQL 16.
    """
    try:
        connection = psycopg.connect(
            url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S, application_name=application_name
        )
        connection.execute("SET timezone TO 'UTC'")
    except psycopg.Error as error:
        raise ServiceUnavailable(
            f"PostgreSQL at {without_password(url)} cannot be used: {str(error).strip()}. "
            "Start the embedded one with `eventlib up`, or check EVENTLIB_DATABASE_URL."
        ) from None
    version = connection.info.server_version
    if version < MINIMUM_SERVER_VERSION:
        connection.close()
        raise ServiceUnavailable(
            f"PostgreSQL at {without_password(url)} is version {version // 10000}; eventlib needs 16 or newer"
        )
    return connection
