"""The cut-over: another table takes the place of the one that readers see, in one transaction; and the way back."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from eventlib.errors import ProjectionError
from eventlib.projection import Projection
from eventlib.projections.rebuild.build import remove, renamed
from eventlib.projections.rebuild.catching_up import catch_up_with_log
from eventlib.projections.statements import statement
from eventlib.projections.tables import ProjectionTable, table_of
from eventlib.store.connection import Connection
from eventlib.store.event_store import Store
from eventlib.store.global_read import Checkpoint
from eventlib.store.queries import query

# Whoever waits for a table keeps all others waiting behind him: better to try again.
_patiently = retry(
    retry=retry_if_exception_type((psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)),
    stop=stop_after_attempt(20),
    wait=wait_random_exponential(0.1, max=3),
    reraise=True,
)


@_patiently
def cut_over(store: Store, projection: Projection[Any], checkpoint: Checkpoint) -> None:
    """Put the new table in the place of the old one, which is kept as `<name>_old`.

    Readers wait for as long as it takes to apply what was written since the last catching up, and see all of the new table
    then; no row is older than it was.
    """
    connection, new, old = store.connection, renamed(projection, "_new"), renamed(projection, "_old")
    with connection.transaction():
        present = _locked(connection, projection)
        catch_up_with_log(store, new, checkpoint)
        remove(connection, old)
        generation, paused_since = 1, None
        if present is not None:
            generation, paused_since = present.generation + 1, present.paused_since
            connection.execute(query("predecessor_write"), {"predecessor": old.name, "projection": projection.name})
            _rename(connection, projection, old, present.generation, None)
        _rename(connection, new, projection, generation, paused_since)
        connection.execute(query("build_forget"), {"projection": new.name})


@_patiently
def rollback(connection: Connection, projection: Projection[Any]) -> None:
    """Put the table back that the last rebuild has replaced, and forget the one that has taken its place.

    The projection goes back to where it was at that time, and consumes anew what came since; until then its reads say how
    stale they are.

    Args:
        connection: of the role that owns the schema.

    Raises:
        ProjectionError: there is none, or another version of the fold has made it.
    """
    old = renamed(projection, "_old")
    with connection.transaction():
        kept = table_of(connection, old)
        if kept is None:
            raise ProjectionError(f"no table of {projection.name} was kept: nothing was rebuilt, or it was discarded")
        if kept.version != projection.version:
            raise ProjectionError(
                f"the table that was kept of {projection.name} is of version {kept.version}, and this is version "
                f"{projection.version}: take the code of that version to go back to it"
            )
        present = _locked(connection, projection)
        assert present is not None
        connection.execute(query("predecessor_restore"), {"predecessor": old.name, "projection": projection.name})
        remove(connection, projection)
        _rename(connection, old, projection, present.generation + 1, present.paused_since)
        connection.execute(query("projection_forget"), {"projection": old.name})


def discard(connection: Connection, projection: Projection[Any]) -> bool:
    """Drop the table that the last rebuild has replaced; whether there was one.

    Args:
        connection: of the role that owns the schema.
    """
    old = renamed(projection, "_old")
    with connection.transaction():
        found = table_of(connection, old) is not None
        remove(connection, old)
    return found


def _locked(connection: Connection, projection: Projection[Any]) -> ProjectionTable | None:
    """Keep everybody from the table until the end of the transaction; what is known of it, None without one."""
    connection.execute("SET LOCAL lock_timeout TO '2s'")
    connection.execute(query("projection_registry_lock"))
    present = table_of(connection, projection)
    if present is not None:
        connection.execute(statement("projection_lock", projection))
    return present


def _rename(
    connection: Connection, from_: Projection[Any], to: Projection[Any], generation: int, paused_since: object
) -> None:
    """Give a table with its indexes, and all that is kept beside it, another name."""
    for (index,) in connection.execute(query("projection_index_names"), {"table": from_.name}).fetchall():
        if index.startswith(from_.name):
            becomes = (to.name + index.removeprefix(from_.name))[:63]
            connection.execute(
                sql.SQL("ALTER INDEX {} RENAME TO {}").format(sql.Identifier(index), sql.Identifier(becomes))
            )
    connection.execute(statement("projection_table_rename", from_, other=to.name))
    connection.execute(
        query("projection_rename"),
        {"projection": from_.name, "becomes": to.name, "generation": generation, "paused_since": paused_since},
    )
