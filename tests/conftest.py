"""Real servers for the tests: one embedded PostgreSQL for the session, one fresh database a test."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventlib.embedded.postgres import EmbeddedPostgres
from eventlib.settings import CONFIG_VARIABLE, PREFIX
from eventlib.store.event_store import Store
from eventlib.store.scratch_database import scratch_database

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
    with scratch_database(postgres.url) as url:
        yield url


@pytest.fixture
def database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A database with the schema and no events, dropped after the test."""
    with scratch_database(postgres.url, STORE_PARTITIONS) as url:
        yield url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store.open(database_url) as opened:
        yield opened
