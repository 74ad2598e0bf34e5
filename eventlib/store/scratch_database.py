"""A database of one's own for a while: benchmarks and drills must not write into an append-only log that people read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from uuid import uuid4

from psycopg import sql

from eventlib.store.connection import connect
from eventlib.store.migrations import migrate


@contextmanager
def scratch_database(url: str, store_partitions: int | None = None) -> Iterator[str]:
    """The URL of a new database on the server of `url`, dropped at the end.

    Args:
        url: of any database on that server, for a role that may create databases.
        store_partitions: with it the database gets eventlib's schema; without it, it stays empty.

    Raises:
        ServiceUnavailable: the server cannot be used.
        psycopg.errors.InsufficientPrivilege: the role may not create databases.
    """
    name = f"eventlib_scratch_{uuid4().hex}"
    parts = urlsplit(url)
    # Not urlunsplit: it drops the slashes of a URL without a host, which is how a Unix socket is named.
    scratch = f"{parts.scheme}://{parts.netloc}/{name}?{parts.query}"
    with connect(url) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        if store_partitions is not None:
            with connect(scratch) as connection:
                migrate(connection, store_partitions)
        yield scratch
    finally:
        with connect(url) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
