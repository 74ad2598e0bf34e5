"""Migrations: each once, in order, recorded, and never changed afterwards."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from eventlib.errors import MigrationError
from eventlib.store.connection import connect
from eventlib.store.migrations import Migration, migrate, pending_migrations, shipped_migrations, store_partitions


def test_each_is_applied_once(empty_database_url: str) -> None:
    with connect(empty_database_url) as connection:
        assert pending_migrations(connection) == shipped_migrations()
        assert migrate(connection, 8) == shipped_migrations()
        assert migrate(connection, 16) == pending_migrations(connection) == []
        assert store_partitions(connection) == 8


def test_safe_when_several_processes_start_at_once(empty_database_url: str) -> None:
    def start(_: int) -> int:
        with connect(empty_database_url) as connection:
            return len(migrate(connection, 4))

    with ThreadPoolExecutor(4) as pool:
        applied = sorted(pool.map(start, range(4)))
    assert applied == [0, 0, 0, len(shipped_migrations())]


def test_a_changed_past_migration_is_refused(empty_database_url: str) -> None:
    first, *others = shipped_migrations()
    with connect(empty_database_url) as connection:
        migrate(connection, 4)
        changed = [replace(first, statements=first.statements + "\n"), *others]
        with pytest.raises(MigrationError, match="0001_event_store was changed after it had been applied"):
            migrate(connection, 4, changed)


def test_a_database_ahead_of_the_code_is_refused(empty_database_url: str) -> None:
    with connect(empty_database_url) as connection:
        migrate(connection, 4)
        with pytest.raises(MigrationError, match="does not know: upgrade eventlib"):
            migrate(connection, 4, shipped_migrations()[:-1])


def test_a_failing_migration_leaves_nothing_behind(empty_database_url: str) -> None:
    broken = [
        *shipped_migrations(),
        Migration(len(shipped_migrations()) + 1, "broken", "CREATE TABLE half (); SELECT 1/0"),
    ]
    with connect(empty_database_url) as connection:
        with pytest.raises(Exception, match="division by zero"):
            migrate(connection, 4, broken)
        assert connection.execute("SELECT to_regclass('half'), to_regclass('event_store')").fetchall() == [(None, None)]
