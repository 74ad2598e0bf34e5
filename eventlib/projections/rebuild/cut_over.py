"""The cut-over: another table takes the place of the one that readers see, in one transaction; and the way back."""

from __future__ import annotations

from functools import partial
from typing import Any

import psycopg
from psycopg import sql
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from eventlib.errors import ProjectionError
from eventlib.projection import Projection
from eventlib.projections.applying import apply_events
from eventlib.projections.parking import parked_counts
from eventlib.projections.rebuild.build import advance, refuse_dependents, remove, renamed, take_turn
from eventlib.projections.rebuild.catching_up import Logged, catch_up, catch_up_with_log
from eventlib.projections.statements import statement
from eventlib.projections.tables import ProjectionTable, key_of, table_of
from eventlib.store.connection import Connection
from eventlib.store.event_store import Store
from eventlib.store.global_read import Checkpoint
from eventlib.store.queries import query

# Whoever waits for a table keeps all others waiting behind him: better to try again.
_again_when_locked = retry(
    retry=retry_if_exception_type((psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)),
    stop=stop_after_attempt(20),
    wait=wait_random_exponential(0.1, max=3),
    reraise=True,
)


@_again_when_locked
def cut_over(
    store: Store, projection: Projection[Any], checkpoint: Checkpoint, *, even_if_parked: bool = False
) -> bool:
    """Put the new table in the place of the old one, which is kept as `<name>_old`.

    Readers wait for as long as it takes to apply what was written since the last catching up, and see all of the new table
    then. Its rows are up to date with the log, but for those of aggregates that it has left behind.

    Args:
        even_if_parked: do so although more aggregates are left behind than before.

    Raises:
        ProjectionError: something depends on the present table.

    Returns:
        Whether it was done: not if more aggregates are left behind than before.
    """
    connection, new, old = store.connection, renamed(projection, "_new"), renamed(projection, "_old")
    with connection.transaction():
        present = _locked(connection, projection)
        checkpoint, _ = catch_up_with_log(store, new, checkpoint, partial(advance, connection, new))
        behind = parked_counts(connection, [projection.name, new.name])
        more = behind.get(new.name, 0) > behind.get(projection.name, 0)
        if present is not None and more and not even_if_parked:
            return False
        remove(connection, old)
        generation, paused_since = 1, None
        if present is not None:
            generation, paused_since = present.generation + 1, present.paused_since
            refuse_dependents(connection, projection)
            _grant_the_same(connection, projection, new)
            _keep(connection, old, checkpoint)
            _rename(connection, projection, old, present.generation, None)
        _rename(connection, new, projection, generation, paused_since)
        connection.execute(query("build_forget"), {"projection": new.name})
    return True


def rollback(owner_url: str, projection: Projection[Any]) -> None:
    """Put the table back that the last rebuild has replaced, and forget the one that has taken its place.

    It is brought up to date from the log before readers see it, so the projection goes on where it is.

    Args:
        owner_url: of the database, for the role that owns the schema.

    Raises:
        ProjectionError: there is none, another version of the fold has made it, a rebuild is under way, or something depends
            on the present table.
    """
    old = renamed(projection, "_old")
    with Store.open(owner_url, f"eventlib rollback of {projection.name}") as store:
        take_turn(store.connection, projection)
        refuse_dependents(store.connection, projection)
        kept = table_of(store.connection, old)
        if kept is None:
            raise ProjectionError(f"no table of {projection.name} was kept: nothing was rebuilt, or it was discarded")
        if kept.version != projection.version:
            raise ProjectionError(
                f"the table that was kept of {projection.name} is of version {kept.version}, and this is version "
                f"{projection.version}: take the code of that version to go back to it"
            )
        encoded = store.connection.execute(query("predecessor_read"), {"projection": old.name}).fetchall()[0][0]
        checkpoint = None if encoded is None else Checkpoint.from_json(encoded)
        checkpoint, _ = catch_up(store, old, checkpoint, partial(_keep, store.connection, old))
        _take_what_it_lacked(store, projection, old)
        _put_back(store, projection, checkpoint)


def _take_what_it_lacked(store: Store, projection: Projection[Any], old: Projection[Any]) -> None:
    """Apply what the old table did not know yet when it was replaced, as far as nothing was written since."""
    connection = store.connection
    behind = sql.SQL(query("projection_behind")).format(
        table=sql.Identifier(old.name),
        key=sql.Identifier(old.key),
        other=sql.Identifier(projection.name),
        other_key=sql.Identifier(key_of(connection, projection)),
    )
    for aggregate_id, version in connection.execute(behind, {"other": projection.name}).fetchall():
        with connection.transaction():
            stored = store.read_stored(projection.aggregate, aggregate_id, after=version)
            apply_events(store, old, map(Logged, stored))


@_again_when_locked
def _put_back(store: Store, projection: Projection[Any], checkpoint: Checkpoint) -> None:
    connection, old = store.connection, renamed(projection, "_old")
    with connection.transaction():
        present = _locked(connection, projection)
        assert present is not None
        catch_up_with_log(store, old, checkpoint, partial(_keep, connection, old))
        _grant_the_same(connection, projection, old)
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


def _keep(connection: Connection, old: Projection[Any], checkpoint: Checkpoint) -> None:
    """Note up to where in the log a table that was replaced has been brought up to date."""
    connection.execute(query("predecessor_write"), {"projection": old.name, "checkpoint": checkpoint.to_json()})


def _grant_the_same(connection: Connection, present: Projection[Any], other: Projection[Any]) -> None:
    """Grant everybody the rights on another table that they have on the present one."""
    for (grant,) in connection.execute(
        query("projection_rights"), {"table": present.name, "other": other.name}
    ).fetchall():
        connection.execute(grant)


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
