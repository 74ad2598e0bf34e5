"""What the application's role may do, and what the database refuses it, whatever the application tries."""

from __future__ import annotations

import os
from collections.abc import Iterator
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from eventlib.errors import ConcurrencyError, MigrationError, ProjectionError
from eventlib.orders import ORDER
from eventlib.orders.projections import ORDER_PROJECTIONS
from eventlib.outbox.held import park, unpark
from eventlib.outbox.leases import Leases
from eventlib.outbox.status import outbox_status
from eventlib.projections.rebuild import rebuild
from eventlib.store.bulk_load import Stream, bulk_load
from eventlib.store.connection import connect
from eventlib.store.event_store import Store
from eventlib.store.global_read import keep_checkpoint, read_page
from eventlib.store.migrations import migrate
from eventlib.store.queries import query
from eventlib.store.readability import check_readability
from eventlib.store.snapshot_care import rebuild_snapshots, verify_snapshots
from tests.conftest import STORE_PARTITIONS
from tests.orders import CART, execute, metadata
from tests.processes import eventlib


@pytest.fixture
def application_url(store: Store, database_url: str) -> Iterator[str]:
    """The database for a login that has nothing but the application's role."""
    login = f"eventlib_test_{uuid4().hex}"
    store.connection.execute(
        sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'pw' IN ROLE eventlib_application").format(sql.Identifier(login))
    )
    parts = urlsplit(database_url)
    kept = [part for part in parts.query.split("&") if part and not part.startswith(("user=", "password="))]
    address = parts.netloc.rpartition("@")[2]
    yield f"{parts.scheme}://{address}{parts.path}?{'&'.join([*kept, f'user={login}', 'password=pw'])}"
    store.connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(login)))


@pytest.fixture
def application(application_url: str) -> Iterator[Store]:
    with Store.open(application_url) as opened:
        yield opened


def test_the_application_can_do_its_work(application: Store) -> None:
    order_id, connection = uuid4(), application.connection
    execute(application, order_id, *CART)
    bulk_load(connection, ORDER, [Stream(uuid4(), 0, ORDER.decide(ORDER.initial(), CART[0]), metadata())], publish=True)
    assert application.load(ORDER, order_id).version == len(CART)
    assert rebuild_snapshots(application, ORDER, every=3) == verify_snapshots(application, ORDER).good == 1
    page = read_page(connection)
    keep_checkpoint(connection, "me", page.checkpoint)
    assert len(page.events) == check_readability(connection, [ORDER]).readable == len(CART) + 1
    leases = Leases(connection)
    leases.renew(0, None)
    mine = {"relay": leases.relay, "shards": list(leases.epochs), "epochs": list(leases.epochs.values())}
    assert connection.execute(query("outbox_forget"), {**mine, "ids": [1]}).rowcount == 1
    park(connection, order_id, "a test")
    assert unpark(connection) == [order_id]
    assert connection.execute(query("outbox_due"), {"shards": list(leases.epochs)}).fetchall() == [(order_id,)]
    assert outbox_status(connection).relays[0].alive
    leases.leave()


def test_a_rebuild_by_the_application_says_which_setting_names_the_owner(application_url: str) -> None:
    with pytest.raises(ProjectionError, match="EVENTLIB_DATABASE_OWNER_URL names the one that owns the schema"):
        rebuild(application_url, ORDER_PROJECTIONS)


def test_it_has_been_granted_what_it_needs_and_nobody_else_anything(application: Store) -> None:
    grants = """
        SELECT CASE WHEN relispartition THEN 'a partition' ELSE relname END,
               COALESCE(pg_get_userbyid(NULLIF(grantee, 0)), 'everybody'),
               array_agg(DISTINCT privilege_type ORDER BY privilege_type)
        FROM pg_class
        CROSS JOIN LATERAL (SELECT relacl UNION ALL SELECT attacl FROM pg_attribute WHERE attrelid = oid) AS held (acl)
        CROSS JOIN LATERAL aclexplode(acl)
        WHERE relnamespace = 'public'::regnamespace AND grantee <> relowner
        GROUP BY 1, 2"""
    everything = ["DELETE", "INSERT", "SELECT", "UPDATE"]
    assert {(name, grantee): privileges for name, grantee, privileges in application.connection.execute(grants)} == {
        (name, "eventlib_application"): privileges
        for name, privileges in {
            "event_store": ["INSERT", "SELECT"],
            "event_store_position_seq": ["SELECT"],
            "a partition": ["SELECT"],
            "outbox": ["DELETE", "INSERT", "SELECT"],
            "order_projections": everything,
            "my_orders": everything,
            "order_tracking": everything,
            "support_orders": everything,
            "projections": ["SELECT", "UPDATE"],
            "dead_events": everything,
            "unreadable_messages": everything,
            "missed_messages": ["DELETE", "INSERT", "SELECT"],
            "projection_lag": everything,
            "notifications": everything,
            "projection_builds": ["SELECT"],
            "projection_build_parts": ["SELECT"],
            "projection_predecessors": ["SELECT"],
            "relays": everything,
            "relay_shards": ["SELECT", "UPDATE"],
            "outbox_held": everything,
            "outbox_publisher": ["SELECT"],
            "projection_offsets": everything,
            "aggregate_snapshots": everything,
            "follower_checkpoints": everything,
            "log_identity": ["SELECT"],
            "log_epochs": ["SELECT"],
            "schema_migrations": ["SELECT"],
        }.items()
    }


TABLES = ["event_store", *(f"event_store_{number:04}" for number in range(STORE_PARTITIONS))]


@pytest.mark.parametrize(
    "attempt",
    [
        "UPDATE {} SET version = version + 1",
        "DELETE FROM {}",
        "TRUNCATE {}",
        "DROP TABLE {}",
        "ALTER TABLE {} DISABLE TRIGGER ALL",
        "ALTER TABLE {} DISABLE TRIGGER event_store_append_only",
        "ALTER TABLE {} ADD COLUMN note text",
        "DROP TRIGGER event_store_append_only ON {}",
        "CREATE RULE quiet AS ON INSERT TO {} DO INSTEAD NOTHING",
        "CREATE TRIGGER quiet BEFORE INSERT ON {} FOR EACH ROW EXECUTE FUNCTION refuse_change()",
        "CREATE INDEX ON {} (version)",
        "SELECT FROM {} FOR UPDATE",
        "DO $$ BEGIN LOCK TABLE {} IN SHARE MODE; END $$",
        "MERGE INTO {} AS log USING (SELECT 1) AS one ON true WHEN MATCHED THEN DELETE",
    ],
)
def test_nothing_lets_it_change_the_log(application: Store, attempt: str) -> None:
    execute(application, uuid4(), *CART)
    for table in TABLES:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application.connection.execute(attempt.format(table))


EVENT = "(aggregate_id, aggregate_type, event_type, event_data, version)"
VALUES = "(gen_random_uuid(), 'order', 'OrderDelivered', '{{}}', 1)"


@pytest.mark.parametrize("attempt", [f"INSERT INTO {{}} {EVENT} VALUES {VALUES}", f"COPY {{}} {EVENT} FROM STDIN"])
def test_the_way_into_the_log_is_the_log_and_none_of_its_partitions(application: Store, attempt: str) -> None:
    for partition in TABLES[1:]:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application.connection.execute(attempt.format(partition))


@pytest.mark.parametrize(
    "attempt",
    [
        "SET session_replication_role TO replica",
        "SET ROLE pg_database_owner",
        "ALTER ROLE CURRENT_USER SUPERUSER",
        "ALTER TABLE event_store DETACH PARTITION event_store_0000",
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


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("created_at", "now() - interval '1 day'"),
        ("tx_id", "pg_current_xact_id()"),
        ("position", "7"),
    ],
)
def test_what_the_database_has_to_say_it_cannot_say_itself(application: Store, column: str, value: str) -> None:
    columns = "aggregate_id, aggregate_type, event_type, event_data, version"
    for attempt in (
        f"INSERT INTO event_store ({columns}, {column}) OVERRIDING SYSTEM VALUE "
        f"VALUES (gen_random_uuid(), 'order', 'OrderDelivered', '{{}}', 1, {value})",
        f"COPY event_store ({columns}, {column}) FROM STDIN",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application.connection.execute(attempt)


def test_the_schema_is_for_its_owner_to_change(application: Store) -> None:
    with pytest.raises(MigrationError, match="Set EVENTLIB_DATABASE_OWNER_URL"):
        migrate(application.connection, STORE_PARTITIONS)


def test_init_by_the_application_says_which_setting_names_the_owner(application_url: str, database_url: str) -> None:
    environment = {**os.environ, "EVENTLIB_DATABASE_URL": application_url}
    refused = eventlib(environment, "init")
    assert refused.returncode == 1
    assert "EVENTLIB_DATABASE_OWNER_URL" in refused.stderr and "Traceback" not in refused.stderr
    done = eventlib({**environment, "EVENTLIB_DATABASE_OWNER_URL": database_url}, "init")
    assert done.returncode == 0, done.stderr


def test_who_may_not_create_the_role_is_told_what_an_administrator_has_to_do(empty_database_url: str) -> None:
    owner = sql.Identifier(f"eventlib_test_{uuid4().hex}")
    with connect(empty_database_url) as connection, connection.transaction(force_rollback=True):
        # Roles belong to the whole server: nobody else sees what is rolled back here.
        if connection.execute("SELECT FROM pg_roles WHERE rolname = 'eventlib_application'").rowcount:
            connection.execute("ALTER ROLE eventlib_application RENAME TO eventlib_application_elsewhere")
        connection.execute(sql.SQL("CREATE ROLE {}").format(owner))
        connection.execute(sql.SQL("GRANT ALL ON SCHEMA public TO {}").format(owner))
        connection.execute(sql.SQL("SET LOCAL ROLE {}").format(owner))
        with pytest.raises(MigrationError, match="administrator execute CREATE ROLE eventlib_application NOLOGIN"):
            migrate(connection, STORE_PARTITIONS)


def test_partitions_that_are_made_later_are_guarded_too(store: Store) -> None:
    ids = [uuid4() for _ in range(40)]
    for order_id in ids:
        execute(store, order_id, *CART[:2])
    connection = store.connection
    before = connection.execute("SELECT * FROM event_store ORDER BY position").fetchall()
    with connection.transaction():
        connection.execute("ALTER TABLE event_store DETACH PARTITION event_store_0001")
        for remainder in (1, 1 + STORE_PARTITIONS):
            name = f"event_store_split_{remainder}"
            modulus = 2 * STORE_PARTITIONS
            connection.execute(
                f"CREATE TABLE {name} PARTITION OF event_store FOR VALUES WITH (MODULUS {modulus}, REMAINDER {remainder})"
            )
            connection.execute("SELECT guard_partition(%s::regclass)", [name])
        connection.execute("INSERT INTO event_store OVERRIDING SYSTEM VALUE SELECT * FROM event_store_0001")
        connection.execute("DROP TABLE event_store_0001")
    assert connection.execute("SELECT * FROM event_store ORDER BY position").fetchall() == before
    with pytest.raises(ConcurrencyError):
        store.append(ORDER, ids[0], 1, ORDER.decide(store.load(ORDER, ids[0]).state, CART[1]), metadata())
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
