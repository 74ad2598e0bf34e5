"""The schema: plain SQL files, applied in order, each once, recorded with its checksum."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import psycopg

from eventlib.errors import MigrationError
from eventlib.resources import resource
from eventlib.store.connection import Connection
from eventlib.store.queries import query

_LOCK = 0x6576656E746C6962
"""Key of the advisory lock that lets one process at a time migrate a database: "eventlib" in ASCII."""

_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


@dataclass(frozen=True)
class Migration:
    """One file of `sql/migrations`."""

    number: int
    name: str
    statements: str = field(repr=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.statements.encode()).hexdigest()


def shipped_migrations() -> list[Migration]:
    """The migrations that belong to this version of eventlib, in order.

    Raises:
        MigrationError: a file is misnamed, or the numbers are not 1..n.
    """
    migrations = []
    for path in sorted(resource("sql", "migrations").glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path.name} in sql/migrations is not named NNNN_what_it_does.sql")
        migrations.append(Migration(int(match[1]), match[2], path.read_text(encoding="utf-8")))
    numbers = [migration.number for migration in migrations]
    if numbers != list(range(1, len(numbers) + 1)):
        raise MigrationError(f"the migrations in sql/migrations are numbered {numbers}, not 1..{len(numbers)}")
    return migrations


def migrate(
    connection: Connection, store_partitions: int, migrations: Sequence[Migration] | None = None
) -> list[Migration]:
    """Bring the schema up to date, in one transaction; safe when several processes start at once.

    Args:
        connection: of a role that may create tables.
        store_partitions: hash partitions of `event_store`; counts only when the table is created.
        migrations: those to apply, by default the shipped ones.

    Returns:
        What was applied now; empty when the schema was up to date.

    Raises:
        MigrationError: a migration changed after it was applied, the database is ahead of this code, or this role may not
            do what a migration does.
    """
    try:
        with connection.transaction():
            connection.execute(query("migration_lock"), {"key": _LOCK})
            connection.execute(query("schema_migrations_create"))
            connection.execute(query("migration_setting"), {"partitions": str(store_partitions)})
            missing = pending_migrations(connection, migrations)
            for migration in missing:
                connection.execute(migration.statements)
                connection.execute(
                    query("schema_migrations_record"),
                    {"number": migration.number, "name": migration.name, "sha256": migration.sha256},
                )
    except psycopg.errors.InsufficientPrivilege as error:
        raise MigrationError(
            f"the schema cannot be brought up to date by the role {connection.info.user}: {error.diag.message_primary}. "
            + (
                error.diag.message_hint
                or "Set EVENTLIB_DATABASE_OWNER_URL to a login of the role that owns the schema."
            )
        ) from None
    return missing


def pending_migrations(connection: Connection, migrations: Sequence[Migration] | None = None) -> list[Migration]:
    """The migrations that the database lacks, in order.

    Raises:
        MigrationError: a migration changed after it was applied, or the database is ahead of this code.
    """
    wanted = shipped_migrations() if migrations is None else migrations
    applied: dict[int, str] = {}
    if connection.execute(query("schema_migrations_exist")).fetchall()[0][0]:
        applied = dict(connection.execute(query("schema_migrations_read")).fetchall())
    _refuse_drift(applied, wanted)
    return [migration for migration in wanted if migration.number not in applied]


def store_partitions(connection: Connection) -> int:
    """The number of hash partitions that `event_store` was created with."""
    return int(connection.execute(query("store_partitions")).fetchall()[0][0])


def _refuse_drift(applied: dict[int, str], wanted: Sequence[Migration]) -> None:
    known = {migration.number: migration for migration in wanted}
    for number, sha256 in applied.items():
        if number not in known:
            raise MigrationError(
                f"the database has migration {number:04}, which this version of eventlib does not know: upgrade eventlib"
            )
        if known[number].sha256 != sha256:
            raise MigrationError(
                f"migration {number:04}_{known[number].name} was changed after it had been applied: "
                "restore the file and put the change into a new migration"
            )
