"""What the application's role may do, and what the database refuses it, whatever the application tries."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from eventlib.errors import MigrationError
from eventlib.orders import ORDER
from eventlib.orders.projection import ORDER_PROJECTIONS
from eventlib.projections.rebuild import rebuild
from eventlib.projections.reconcile import verify
from eventlib.store.bulk_load import Stream, bulk_load
from eventlib.store.event_store import Store
from eventlib.store.global_read import keep_checkpoint, read_page
from eventlib.store.migrations import migrate
from eventlib.store.queries import query
from eventlib.store.readability import check_readability
from eventlib.store.snapshot_care import rebuild_snapshots, verify_snapshots
from tests.conftest import STORE_PARTITIONS
from tests.orders import CART, execute, metadata


@pytest.fixture
def application(store: Store, database_url: str) -> Iterator[Store]:
    """The store through a login that has nothing but the application's role."""
    login = f"eventlib_test_{uuid4().hex}"
    store.connection.execute(
        sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'pw' IN ROLE eventlib_application").format(sql.Identifier(login))
    )
    parts = urlsplit(database_url)
    kept = "&".join(part for part in parts.query.split("&") if not part.startswith("user="))
    address = parts.netloc.rpartition("@")[2]
    url = f"{parts.scheme}://{address}{parts.path}?{kept}&user={login}&password=pw"
    with Store.open(url) as opened:
        yield opened
    store.connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(login)))


def test_the_application_can_do_its_work(application: Store) -> None:
    order_id, connection = uuid4(), application.connection
    execute(application, order_id, *CART)
    bulk_load(connection, ORDER, [Stream(uuid4(), 0, ORDER.decide(ORDER.initial(), CART[0]), metadata())], publish=True)
    assert application.load(ORDER, order_id).version == len(CART)
    assert rebuild(application, ORDER_PROJECTIONS) == verify(application, ORDER_PROJECTIONS).equal == 2
    assert rebuild_snapshots(application, ORDER, every=3) == verify_snapshots(application, ORDER).good == 1
    page = read_page(connection)
    keep_checkpoint(connection, "me", page.checkpoint)
    assert len(page.events) == check_readability(connection, [ORDER]).readable == len(CART) + 1
    connection.execute(query("outbox_delete"), {"ids": [1]})


TABLES = ["event_store", *(f"event_store_{number:04}" for number in range(STORE_PARTITIONS))]


@pytest.mark.parametrize(
    "attempt",
    [
        "UPDATE {} SET version = version + 1",
        "DELETE FROM {}",
        "TRUNCATE {}",
        "DROP TABLE {}",
        "ALTER TABLE {} DISABLE TRIGGER ALL",
        "ALTER TABLE {} ADD COLUMN note text",
        "DROP TRIGGER event_store_append_only ON {}",
        "CREATE RULE quiet AS ON INSERT TO {} DO INSTEAD NOTHING",
        "CREATE INDEX ON {} (version)",
        "MERGE INTO {} AS log USING (SELECT 1) AS one ON true WHEN MATCHED THEN DELETE",
    ],
)
def test_nothing_lets_it_change_the_log(application: Store, attempt: str) -> None:
    execute(application, uuid4(), *CART)
    for table in TABLES:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application.connection.execute(attempt.format(table))


@pytest.mark.parametrize(
    "attempt",
    [
        "SET session_replication_role TO replica",
        "ALTER TABLE event_store OWNER TO eventlib_application",
        "SELECT guard_partition('event_store')",
        "SELECT setval('event_store_position_seq', 1)",
        "INSERT INTO log_epochs VALUES (9, 'elsewhere', 0)",
        "UPDATE log_identity SET log_id = gen_random_uuid()",
        "DELETE FROM schema_migrations",
        "UPDATE outbox SET version = 1",
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
        "DROP FUNCTION refuse_change() CASCADE",
        "CREATE TABLE mine ()",
    ],
)
def test_nothing_lets_it_around_the_guards(application: Store, attempt: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.connection.execute(attempt)


@pytest.mark.parametrize("column", ["created_at", "tx_id"])
def test_what_the_database_has_to_say_it_cannot_say_itself(application: Store, column: str) -> None:
    value = {"created_at": "now() - interval '1 day'", "tx_id": "pg_current_xact_id()"}[column]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.connection.execute(
            f"INSERT INTO event_store (aggregate_id, aggregate_type, event_type, event_data, version, {column}) "
            f"VALUES (gen_random_uuid(), 'order', 'OrderDelivered', '{{}}', 1, {value})"
        )


def test_nor_a_position(application: Store) -> None:
    with pytest.raises(psycopg.errors.GeneratedAlways):
        application.connection.execute(
            "INSERT INTO event_store (aggregate_id, aggregate_type, event_type, event_data, version, position) "
            "VALUES (gen_random_uuid(), 'order', 'OrderDelivered', '{}', 1, 7)"
        )


def test_the_schema_is_for_its_owner_to_change(application: Store) -> None:
    with pytest.raises(MigrationError, match="Set EVENTLIB_DATABASE_OWNER_URL"):
        migrate(application.connection, STORE_PARTITIONS)


def test_partitions_that_are_made_later_are_guarded_too(store: Store) -> None:
    ids = [uuid4() for _ in range(40)]
    for order_id in ids:
        execute(store, order_id, *CART[:2])
    connection = store.connection
    with connection.transaction():
        connection.execute("ALTER TABLE event_store DETACH PARTITION event_store_0001")
        connection.execute("ALTER TABLE event_store_0001 DISABLE TRIGGER USER")
        for remainder in (1, 1 + STORE_PARTITIONS):
            name = f"event_store_split_{remainder}"
            modulus = 2 * STORE_PARTITIONS
            connection.execute(
                f"CREATE TABLE {name} PARTITION OF event_store FOR VALUES WITH (MODULUS {modulus}, REMAINDER {remainder})"
            )
            connection.execute("SELECT guard_partition(%s::regclass)", [name])
        connection.execute("INSERT INTO event_store OVERRIDING SYSTEM VALUE SELECT * FROM event_store_0001")
        connection.execute("DROP TABLE event_store_0001")
    assert all(store.load(ORDER, order_id).version == 2 for order_id in ids)
    guarded = """
        SELECT relname,
               ARRAY(SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = pg_class.oid),
               ARRAY(SELECT tgname || ' ' || tgenabled::text FROM pg_trigger WHERE tgrelid = pg_class.oid ORDER BY tgname),
               has_table_privilege('eventlib_application', pg_class.oid, 'SELECT'),
               has_table_privilege('eventlib_application', pg_class.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
        FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'event_store'::regclass"""
    guards = {
        (len(indexes), tuple(triggers), may_read, may_write)
        for _, indexes, triggers, may_read, may_write in connection.execute(guarded)
    }
    assert guards == {(5, ("event_store_append_only A", "event_store_no_truncate A"), True, False)}
    for action in ("DELETE FROM event_store_split_1", "TRUNCATE event_store_split_1", "TRUNCATE event_store_split_5"):
        with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
            connection.execute(action)
