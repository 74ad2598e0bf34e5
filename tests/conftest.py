"""Real servers for the tests: one embedded PostgreSQL for the session, one fresh database a test."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from eventlib.embedded.postgres import EmbeddedPostgres
from eventlib.settings import CONFIG_VARIABLE, PREFIX
from eventlib.store.connection import connect
from eventlib.store.event_store import Store
from eventlib.store.migrations import migrate

STORE_PARTITIONS = 4


@pytest.fixture(scope="session", autouse=True)
def no_settings_from_outside() -> None:
    """The tests bring their own servers: what the caller has set for eventlib is not theirs."""
    for variable in list(os.environ):
        if variable.startswith(PREFIX):
            del os.environ[variable]
    os.environ.pop(CONFIG_VARIABLE, None)


@pytest.fixture(scope="session")
def state_dir() -> Iterator[Path]:
    """A state folder outside of pytest's own, which is closed to the system user that PostgreSQL runs as under root."""
    folder = Path(tempfile.mkdtemp(prefix="eventlib-test-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres(state_dir: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(state_dir)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def empty_database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A database without a schema, dropped after the test."""
    name = f"test_{uuid4().hex}"
    identifier = sql.Identifier(name)
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(identifier))
        yield postgres.url.replace("/eventlib?", f"/{name}?")
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


@pytest.fixture
def database_url(empty_database_url: str) -> str:
    """A database with the schema and no events."""
    with connect(empty_database_url) as connection:
        migrate(connection, STORE_PARTITIONS)
    return empty_database_url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store.open(database_url) as opened:
        yield opened
