"""Rebuilds of tables of every kind: values, types, keys, rules, rights, and what depends on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from eventlib.errors import ProjectionError, SettingsError
from eventlib.orders import ORDER
from eventlib.orders.order import Order
from eventlib.orders.projections import MY_ORDERS, ORDER_PROJECTIONS
from eventlib.projection import Projection
from eventlib.projections.copy_rows import copying_rows
from eventlib.projections.health import projection_health
from eventlib.projections.parking import parked
from eventlib.projections.rebuild import discard, rebuild, rollback
from eventlib.projections.rebuild.cut_over import cut_over
from eventlib.projections.reconcile import verify
from eventlib.projections.rows import write_rows
from eventlib.projections.tables import ensure_tables
from eventlib.store.connection import Connection, connect
from eventlib.store.event_store import Store
from eventlib.store.global_read import checkpoint_now
from tests.orders import USER
from tests.rebuilt import holds, indexes, ordered, with_column


class Shade(Enum):
    RED = "red\\"


class Size(IntEnum):
    LARGE = 3


class Mixed(msgspec.Struct, frozen=True):
    """A value of every kind, the same in columns of text, and in columns of a type of its own."""

    shade: Shade = Shade.RED
    size: Size = Size.LARGE
    raw: bytes = b"\x00hi"
    raw_text: bytes = b"\x00hi"
    flag: bool = True
    flag_text: bool = False
    at: datetime = datetime(2025, 3, 1, 12, tzinfo=UTC)
    at_text: datetime = datetime(2025, 3, 1, 12, 0, 0, 5, tzinfo=UTC)
    at_home: datetime = datetime(2025, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    on: date = date(2025, 3, 1)
    took: timedelta = timedelta(seconds=90)
    share: float = 0.1
    large: int = 2**70
    nothing: float = float("nan")
    price: Decimal = Decimal("1.50")
    owner: UUID = UUID(int=7)
    document: str = "5"
    documents: list[str] = msgspec.field(default_factory=lambda: ["a\tb", "\\"])
    listed: list[str] = msgspec.field(default_factory=lambda: ["a\tb", "\\"])
    missing: str | None = None
    missing_document: str | None = None


MIXED = Projection(
    name="mixed",
    aggregate=ORDER,
    initial=Mixed,
    evolve=lambda state, event: state,
    definition="""CREATE TABLE {table} (
        aggregate_id uuid PRIMARY KEY, shade text, size integer, raw bytea, raw_text text, flag boolean, flag_text text,
        at timestamptz, at_text text, at_home text, "on" date, took text, share double precision, nothing double precision,
        price numeric, large numeric, owner text, document jsonb, documents jsonb, listed text, missing text,
        missing_document jsonb,
        last_event_version integer NOT NULL, projected_at timestamptz NOT NULL, snapshot jsonb NOT NULL)""",
)


def test_copy_writes_what_a_projector_writes(store: Store) -> None:
    ensure_tables(store.connection, [MIXED])
    row, written = MIXED.row_of(UUID(int=1), Mixed(), 1), []
    for write in (lambda: write_rows(store.connection, MIXED, [row]), lambda: copied(store.connection, row)):
        write()
        written += store.connection.execute("SELECT to_jsonb(mixed) - 'projected_at' FROM mixed").fetchall()
        store.connection.execute("TRUNCATE mixed")
    assert written[0] == written[1]


def copied(connection: Connection, row: Any) -> None:
    with copying_rows(connection, MIXED, row) as write:
        write(row)


def test_a_column_may_get_another_type_and_the_key_another_name(store: Store, database_url: str) -> None:
    orders = ordered(store, 3)
    rebuild(database_url, ORDER_PROJECTIONS, processes=1)
    store.connection.execute("UPDATE order_projections SET user_id = NULL WHERE order_id = %s", [orders[0]])
    typed = replace(
        ORDER_PROJECTIONS, version=2, definition=with_column("user_id            uuid", "user_id            text")
    )
    compared = rebuild(database_url, typed, processes=1).comparison
    assert compared and (compared.equal, compared.differing) == (2, 1)
    assert compared.differences[0].columns == {"user_id": (None, str(USER))}
    made = ORDER_PROJECTIONS.row
    assert made

    def row(order_id: UUID, order: Order, version: int) -> dict[str, Any]:
        columns = msgspec.structs.asdict(made(order_id, order, version))  # type: ignore[arg-type]
        return {"number": columns.pop("order_id"), **columns}

    renamed_key = replace(
        typed, version=3, definition=typed.definition.replace("order_id  ", "number"), key="number", row=row
    )
    store.connection.execute("UPDATE order_projections SET user_id = NULL WHERE order_id = %s", [orders[0]])
    compared = rebuild(database_url, renamed_key, processes=1).comparison
    assert compared and (compared.equal, compared.differing, compared.added) == (2, 1, 0)
    assert compared.differences[0].columns == {"user_id": (None, str(USER))}
    assert holds(store, renamed_key, 3)
    rollback(database_url, typed)
    assert verify(store, typed).equal == 2  # and the third one is as it was damaged


@pytest.mark.parametrize(
    "rule",
    [", UNIQUE (user_id))", ", EXCLUDE USING hash (user_id WITH =))", "); CREATE UNIQUE INDEX ON {table} (user_id)"],
)
def test_rows_that_exclude_each_other_are_left_behind_but_for_the_first(
    store: Store, database_url: str, rule: str
) -> None:
    strict = replace(
        ORDER_PROJECTIONS, name="strict", definition=ORDER_PROJECTIONS.definition.rstrip().rstrip(")") + rule
    )
    ensure_tables(store.connection, [strict])
    first, *others = ordered(store, 4)
    assert rebuild(database_url, strict, processes=1, even_if_parked=True).parked == 3
    assert store.connection.execute("SELECT order_id FROM strict").fetchall() == [(first,)]
    left_behind = parked(store.connection, "strict")
    assert {one.aggregate_id for one in left_behind} == set(others) and all(
        "user_id" in one.error for one in left_behind
    )
    assert len(indexes(store.connection, "strict")) == 2


def by_aggregate_id(name: str, rule: str = ")") -> Projection:
    """order_projections with the key that a projection has by default, which the log's own column is called too."""

    def row(order_id: UUID, order: Order, version: int) -> dict[str, Any]:
        columns = msgspec.structs.asdict(ORDER_PROJECTIONS.row_of(order_id, order, version))  # type: ignore[arg-type]
        return {"aggregate_id": columns.pop("order_id"), **columns}

    definition = with_column("order_id  ", "aggregate_id").rstrip().rstrip(")") + rule
    return replace(ORDER_PROJECTIONS, name=name, key="aggregate_id", definition=definition, row=row)


def test_a_key_that_is_called_as_in_the_log_is_never_taken_for_that(store: Store, database_url: str) -> None:
    plain, strict = by_aggregate_id("plain"), by_aggregate_id("strict", ", UNIQUE (user_id))")
    ensure_tables(store.connection, [plain, strict])
    first, _ = ordered(store, 2)
    assert rebuild(database_url, strict, processes=1, even_if_parked=True).parked == 1
    assert store.connection.execute("SELECT aggregate_id FROM strict").fetchall() == [(first,)]
    rebuild(database_url, plain, processes=1)
    stranger = uuid4()
    write_rows(store.connection, plain, [plain.row_of(stranger, plain.initial(), 1)])
    assert verify(store, plain).orphans == [stranger]
    (health,) = projection_health(store.connection, [plain], timedelta(minutes=1), timedelta(0))
    assert health.unseen == 0


def test_an_index_that_is_named_by_the_definition_is_refused_before_anything_is_built(
    store: Store, database_url: str
) -> None:
    named = replace(
        ORDER_PROJECTIONS,
        name="named",
        definition=ORDER_PROJECTIONS.definition + "; CREATE INDEX by_user ON {table} (user_id)",
    )
    ensure_tables(store.connection, [named])
    with pytest.raises(ProjectionError, match=r'"by_user" already exists.*leave the name to PostgreSQL'):
        rebuild(database_url, named, processes=1)


@pytest.fixture
def reporting(store: Store) -> Iterator[str]:
    """A role of somebody else's, gone after the test."""
    role = f"reporting {uuid4().hex[:8]}"
    store.connection.execute(f'CREATE ROLE "{role}"')
    yield role
    store.connection.execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')


def test_rights_that_others_have_go_over_to_the_new_table_and_back(
    store: Store, database_url: str, reporting: str
) -> None:
    store.connection.execute(f'GRANT SELECT ON my_orders TO "{reporting}" WITH GRANT OPTION')
    store.connection.execute("GRANT SELECT (status), UPDATE (status) ON my_orders TO PUBLIC")
    granted = rights(store.connection)
    assert {"all", "status"} <= {column for column, *_ in granted}
    rebuild(database_url, MY_ORDERS, processes=1)
    assert rights(store.connection) == granted
    store.connection.execute(f'GRANT DELETE ON my_orders TO "{reporting}"')
    granted = rights(store.connection)
    rollback(database_url, MY_ORDERS)
    assert rights(store.connection) == granted


def rights(connection: Connection) -> set[tuple]:
    return set(
        connection.execute(
            "SELECT 'all', rights.* FROM pg_class, aclexplode(relacl) AS rights WHERE oid = 'my_orders'::regclass "
            "UNION SELECT attname, rights.* FROM pg_attribute, aclexplode(attacl) AS rights "
            "WHERE attrelid = 'my_orders'::regclass"
        )
    )


def test_what_depends_on_the_table_is_named_before_anything_is_built(store: Store, database_url: str) -> None:
    ordered(store, 1)
    rebuild(database_url, MY_ORDERS, processes=1)
    for table in ("my_orders", "my_orders_old"):
        store.connection.execute(f"CREATE VIEW app_orders AS SELECT user_id, status FROM {table}")
        with pytest.raises(ProjectionError, match=f"on {table} depends rule _RETURN on view app_orders, which"):
            rebuild(database_url, MY_ORDERS, processes=1, progress=None)  # type: ignore[arg-type]
        assert store.connection.execute("SELECT to_regclass('my_orders_new')").fetchall() == [(None,)]
        with pytest.raises(ProjectionError, match=f"on {table} depends"):
            (rollback if table == "my_orders" else discard_of)(database_url, MY_ORDERS)
        store.connection.execute("DROP VIEW app_orders")
    rebuild(database_url, MY_ORDERS, processes=1, hold=True)
    store.connection.execute("CREATE TABLE notes (order_id uuid REFERENCES my_orders)")
    with pytest.raises(ProjectionError, match="on my_orders depends constraint notes_order_id_fkey on table notes"):
        cut_over(store, MY_ORDERS, checkpoint_now(store.connection))


def discard_of(database_url: str, projection: Projection) -> None:
    with connect(database_url) as connection:
        discard(connection, projection)


@pytest.mark.parametrize("name", ["orders_new", "orders_old"])
def test_a_name_of_which_a_rebuild_would_drop_the_table_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="does not end in _new or _old"):
        replace(MY_ORDERS, name=name)
