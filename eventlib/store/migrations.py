"""The schema: plain SQL files, applied in order, each once, recorded with its checksum."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from eventlib.errors import MigrationError
from eventlib.resources import resource
from eventlib.store.connection import Connection

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
    connection: Connection, store_partitions: int, migrations: list[Migration] | None = None
) -> list[Migration]:
    """Bring the schema up to date, in one transaction; safe when several processes start at once.

    Args:
        connection: of a role that may create tables.
        store_partitions: hash partitions of `event_store`; counts only when the table is created.
        migrations: those to apply, by default the shipped ones.

    Returns:
        What was applied now; empty when the schema was up to date.

    Raises:
        MigrationError: a migration changed after it was applied, or the database is ahead of this code.
    """
    wanted = shipped_migrations() if migrations is None else migrations
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (number integer PRIMARY KEY, name text NOT NULL, "
            "sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        applied: dict[int, str] = dict(
            connection.execute("SELECT number, sha256 FROM schema_migrations ORDER BY number").fetchall()
        )
        _refuse_drift(applied, wanted)
        connection.execute("SELECT set_config('eventlib.store_partitions', %s, true)", [str(store_partitions)])
        missing = [migration for migration in wanted if migration.number not in applied]
        for migration in missing:
            connection.execute(migration.statements)
            connection.execute(
                "INSERT INTO schema_migrations (number, name, sha256) VALUES (%s, %s, %s)",
                [migration.number, migration.name, migration.sha256],
            )
    return missing


def _refuse_drift(applied: dict[int, str], wanted: list[Migration]) -> None:
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
