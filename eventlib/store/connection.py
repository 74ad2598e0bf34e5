"""Connections to PostgreSQL: fail in seconds with the reason, speak UTC, commit each statement, plan a statement once."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from eventlib.errors import ServiceUnavailable

CONNECT_TIMEOUT_S = 5
IDLE_IN_TRANSACTION_S = 10.0
"""For how long a worker may do nothing in its transaction, before the server ends its session."""

LOCK_WAIT_S = 3.0
"""For how long a worker's statement waits for a lock; `again` tries for longer than another's session may be idle."""

MINIMUM_SERVER_VERSION = 160000

Connection = psycopg.Connection[tuple[Any, ...]]

again = retry(
    retry=retry_if_exception_type(
        (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure, psycopg.errors.LockNotAvailable)
    ),
    stop=stop_after_attempt(5),
    wait=wait_random_exponential(0.01, max=0.5),
    reraise=True,
)
"""Does it again when transactions have waited for each other, or one for too long: it is likely to get through then."""


def shown_address(url: str) -> str:
    """The address of a database without its secrets, fit for being printed; libpq itself says what is what in it.

    >>> shown_address("postgresql://me:secret@db.example:5432/shop?sslmode=require")
    'postgresql:///shop?user=me&host=db.example&port=5432&sslmode=require'
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return "the address in EVENTLIB_DATABASE_URL"
    if "@" in str(parts.get("host", "")) or not str(parts.get("port", "0")).replace(",", "").isdigit():
        # A password with an unescaped @, or without a host after it: libpq takes parts of it for host or port.
        return "the address in EVENTLIB_DATABASE_URL"
    shown = {name: value for name, value in parts.items() if name not in {"dbname", "password", "sslpassword"}}
    return f"postgresql:///{parts.get('dbname', '')}?{urlencode(shown)}"


def connect(url: str, application_name: str = "eventlib") -> Connection:
    """Open a connection in autocommit mode, with the session's time zone set to UTC and one plan for each statement.

    Args:
        url: a libpq URL.
        application_name: what `pg_stat_activity` shows.

    Raises:
        ServiceUnavailable: the server does not answer within 5 s, refuses the login, is older than PostgreSQL 16, or its
            database is not encoded in UTF-8.
    """
    try:
        connection = psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name=application_name,
            client_encoding="UTF8",  # whatever the address or the environment says: COPY takes bytes as they are
        )
        connection.execute("SET timezone TO 'UTC'")
        # What a command executes finds its one partition by a key. PostgreSQL would plan it anew each time, since a plan for
        # any key names all partitions and so looks dear, and planning takes as long as executing. A statement that needs
        # a plan of its own goes through `planned_anew`.
        connection.execute("SET plan_cache_mode TO force_generic_plan")
    except psycopg.Error as error:
        raise ServiceUnavailable(
            f"PostgreSQL at {shown_address(url)} cannot be used: {str(error).strip()}. "
            "Start the embedded one with `eventlib up`, or check EVENTLIB_DATABASE_URL and EVENTLIB_DATABASE_OWNER_URL."
        ) from None
    version = connection.info.server_version
    if version < MINIMUM_SERVER_VERSION:
        connection.close()
        raise ServiceUnavailable(
            f"PostgreSQL at {shown_address(url)} is version {version // 10000}; eventlib needs 16 or newer"
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        connection.close()
        raise ServiceUnavailable(
            f"the database at {shown_address(url)} is encoded in {encoding}, which cannot hold every text: make it UTF8"
        )
    return connection


def keep_nobody_waiting(connection: Connection) -> None:
    """For a worker whose rows others take over: have the server end its session when it stops within a transaction.

    A process that is suspended there would else keep its locks, and its successor waiting, for ever. And whoever waits for a
    lock all the same gives up in time to hear of a stop.
    """
    connection.execute(f"SET idle_in_transaction_session_timeout TO {IDLE_IN_TRANSACTION_S * 1000:.0f}")
    connection.execute(f"SET lock_timeout TO {LOCK_WAIT_S * 1000:.0f}")


def planned_anew(connection: Connection, statement: str, parameters: dict[str, Any]) -> psycopg.Cursor[tuple[Any, ...]]:
    """Execute a statement whose good plan depends on its parameters.

    They are bound by the client, so the server plans the statement for these very values.
    """
    return psycopg.ClientCursor(connection).execute(statement, parameters)
