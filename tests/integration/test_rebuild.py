"""Rebuilds: a new table beside the old one, equal to the log, in one moment in its place."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import random
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlib.aggregate import Aggregate
from eventlib.errors import ProjectionError, SettingsError
from eventlib.events import Event, Recorded
from eventlib.orders import ORDER
from eventlib.orders import events as e
from eventlib.orders.commands import AddItem
from eventlib.orders.order import Order, evolve
from eventlib.orders.projections import MY_ORDERS, ORDER_PROJECTIONS, ORDER_TRACKING, PROJECTIONS, SUPPORT_ORDERS
from eventlib.orders.projections.my_orders import MyOrder
from eventlib.outbox.relay import Relay
from eventlib.projection import Projection
from eventlib.projections.copy_rows import copying_rows
from eventlib.projections.health import projection_health
from eventlib.projections.parking import parked, replay_parked
from eventlib.projections.projector import Projector, _TableChanged
from eventlib.projections.rebuild import discard, loading, rebuild, rebuilding, rollback
from eventlib.projections.rebuild.build import begin, renamed
from eventlib.projections.rebuild.cut_over import cut_over
from eventlib.projections.rebuild.loading import load_part
from eventlib.projections.rebuild.rebuilding import place_of
from eventlib.projections.reconcile import verify
from eventlib.projections.rows import write_rows
from eventlib.projections.tables import check_table, ensure_tables, pause, table_of
from eventlib.store.connection import Connection, connect
from eventlib.store.event_store import Store
from eventlib.store.global_read import checkpoint_now
from eventlib.store.scan import partitions
from eventlib.streaming.clients import KafkaAddress
from tests.conftest import STORE_PARTITIONS, TOPIC_PARTITIONS
from tests.messages import messages_of
from tests.orders import CART, USER, execute, metadata
from tests.processes import background, eventlib
from tests.running import running
from tests.waiting import wait_for


def ordered(store: Store, number: int) -> list[UUID]:
    orders = [uuid4() for _ in range(number)]
    for order_id in orders:
        execute(store, order_id, *CART)
    return orders


def holds(store: Store, projection: Projection, orders: int) -> bool:
    """Whether the table is what the log says, all of it, up to date."""
    found = verify(store, projection)
    return (found.aggregates, found.equal, found.behind) == (orders, orders, 0) and not found.orphans


def indexes(connection: Connection, table: str) -> list[tuple[str, str]]:
    return connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s ORDER BY 1", [table]
    ).fetchall()  # type: ignore[return-value]


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda one: one.name)
@pytest.mark.parametrize("processes", [1, 2])
def test_it_makes_what_the_log_says(store: Store, database_url: str, projection: Projection, processes: int) -> None:
    orders = [*ordered(store, 5), UUID(int=0)]
    execute(store, orders[-1], *CART)
    before = indexes(store.connection, projection.name)
    wrong = projection.row_of(orders[0], projection.initial(), 1)
    stranger = projection.row_of(uuid4(), projection.initial(), 1)
    write_rows(store.connection, projection, [wrong, stranger])
    done = rebuild(database_url, projection, processes=processes)
    assert (done.rows, done.events, done.resumed, done.caught_up, done.parked) == (6, 6 * len(CART), 0, 0, 0)
    compared = done.comparison
    assert compared and (compared.added, compared.gone, compared.newer, compared.differing) == (5, 1, 1, 0)
    assert holds(store, projection, 6)
    assert indexes(store.connection, projection.name) == before
    again = rebuild(database_url, projection, processes=processes)
    assert again.comparison and again.comparison.equal == 6
    assert discard(store.connection, projection) and not discard(store.connection, projection)


def test_any_text_gets_into_the_table_as_it_is(store: Store, database_url: str) -> None:
    order_id = uuid4()
    skus = [
        "tab\tnew line\nreturn\rbackslash\\",
        "\\N",
        "\\.",
        "back\\nslash-n",
        "quote'\"",
        "\u00e4\u2028\U0001f69a",
        "\x7f",
    ]
    for sku in skus:
        first = [CART[0]] if sku == skus[0] else []
        execute(store, order_id, *first, AddItem(sku, 1, 100, "me"))
    for projection in (ORDER_PROJECTIONS, MY_ORDERS):
        rebuild(database_url, projection, processes=1)
        assert holds(store, projection, 1)
    headline = store.connection.execute("SELECT headline FROM my_orders").fetchall()[0][0]
    assert headline == f"{skus[0]} and 6 more"


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


def test_what_differs_is_named(store: Store, database_url: str) -> None:
    orders = ordered(store, 3)
    rebuild(database_url, ORDER_PROJECTIONS, processes=1)
    store.connection.execute("UPDATE order_projections SET total_cents = 1 WHERE order_id = %s", [orders[1]])
    compared = rebuild(database_url, ORDER_PROJECTIONS, processes=1).comparison
    assert compared and (compared.equal, compared.differing) == (2, 1)
    (difference,) = compared.differences
    assert (difference.aggregate_id, difference.columns) == (orders[1], {"total_cents": (1, 3488)})


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


def with_column(declared: str, otherwise: str) -> str:
    assert declared in ORDER_PROJECTIONS.definition
    return ORDER_PROJECTIONS.definition.replace(declared, otherwise)


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


def test_readers_see_the_old_rows_or_the_new_ones(store: Store, database_url: str) -> None:
    orders = ordered(store, 200)
    write_rows(store.connection, ORDER_PROJECTIONS, [ORDER_PROJECTIONS.row_of(orders[0], Order(currency="XXX"), 99)])
    seen: set[int] = set()
    done = threading.Event()

    def read() -> None:
        with connect(database_url) as reader:
            while not done.is_set():
                seen.update(reader.execute("SELECT count(*) FROM order_projections").fetchall()[0])

    reader = threading.Thread(target=read)
    reader.start()
    rebuild(database_url, ORDER_PROJECTIONS, processes=1)
    time.sleep(0.1)
    done.set()
    reader.join()
    assert seen == {1, 200}


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


def test_a_projector_goes_on_meanwhile_and_afterwards(
    store: Store, relay: Relay, kafka: KafkaAddress, database_url: str
) -> None:
    ordered(store, 3)
    relay.publish_batch()
    with (
        connect(database_url) as connection,
        running(Projector(connection, kafka, TOPIC_PARTITIONS, ORDER_PROJECTIONS)),
    ):
        wait_for(lambda: holds(store, ORDER_PROJECTIONS, 3))
        rebuild(database_url, ORDER_PROJECTIONS, processes=1)
        ordered(store, 2)
        relay.publish_batch()
        wait_for(lambda: holds(store, ORDER_PROJECTIONS, 5))
        rollback(database_url, ORDER_PROJECTIONS)
        wait_for(lambda: holds(store, ORDER_PROJECTIONS, 5))
        ordered(store, 1)
        relay.publish_batch()
        wait_for(lambda: holds(store, ORDER_PROJECTIONS, 6))
    with pytest.raises(ProjectionError, match="no table of order_projections was kept"):
        rollback(database_url, ORDER_PROJECTIONS)


def test_a_rollback_brings_back_a_table_that_is_up_to_date_whatever_kafka_has(store: Store, database_url: str) -> None:
    # Nobody projects here: all that gets into the tables comes from the log.
    later = uuid4()
    execute(store, later, *CART[:3])
    ordered(store, 1)
    rebuild(database_url, ORDER_PROJECTIONS)
    execute(store, later, *CART[3:])
    ordered(store, 90)
    rollback(database_url, ORDER_PROJECTIONS)
    assert holds(store, ORDER_PROJECTIONS, 92)


def test_a_rollback_brings_what_the_new_fold_has_left_behind(store: Store, database_url: str) -> None:
    (order_id,) = ordered(store, 1)
    rebuild(database_url, poisoned(ORDER_PROJECTIONS, order_id, 1), even_if_parked=True)
    rollback(database_url, ORDER_PROJECTIONS)
    assert holds(store, ORDER_PROJECTIONS, 1) and not parked(store.connection)


def test_a_table_that_was_replaced_before_checkpoints_were_kept_is_brought_back_complete(
    store: Store, database_url: str
) -> None:
    ordered(store, 2)
    rebuild(database_url, ORDER_PROJECTIONS)
    store.connection.execute("UPDATE projection_predecessors SET checkpoint = NULL")
    store.connection.execute("TRUNCATE order_projections")
    rollback(database_url, ORDER_PROJECTIONS)
    assert holds(store, ORDER_PROJECTIONS, 2)


def test_messages_that_were_asked_for_before_a_rollback_are_not_counted_as_applied(
    store: Store, relay: Relay, kafka: KafkaAddress, database_url: str
) -> None:
    projector = Projector(store.connection, kafka, TOPIC_PARTITIONS, ORDER_PROJECTIONS)
    ordered(store, 2)
    relay.publish_batch()
    projector.apply(messages_of(kafka)[:5])
    projector._generation = 1
    rebuild(database_url, ORDER_PROJECTIONS, processes=1)
    before = store.connection.execute("SELECT * FROM projection_offsets").fetchall()
    with pytest.raises(_TableChanged):
        projector.apply(messages_of(kafka)[5:])
    assert store.connection.execute("SELECT * FROM projection_offsets").fetchall() == before


def test_what_is_written_meanwhile_is_caught_up_with(store: Store, database_url: str) -> None:
    ordered(store, 5)
    held = rebuild(database_url, MY_ORDERS, processes=1, hold=True)
    assert held.rows == 5 and verify(store, MY_ORDERS).missing and table_of(store.connection, MY_ORDERS)
    orders = ordered(store, 4)
    done = rebuild(database_url, MY_ORDERS, processes=1)
    assert (done.resumed, done.caught_up, done.events) == (STORE_PARTITIONS, 4 * len(CART), 5 * len(CART))
    assert holds(store, MY_ORDERS, 9) and orders
    # What was written, but by a transaction that commits late, is not lost either.
    with connect(database_url) as connection, connection.transaction():
        late = uuid4()
        execute(Store(connection), late, *CART[:2])
        rebuild(database_url, MY_ORDERS, processes=1, hold=True)
        execute(Store(connection), late, *CART[2:])
    assert rebuild(database_url, MY_ORDERS, processes=1).caught_up == len(CART)
    assert holds(store, MY_ORDERS, 10)


def test_a_fold_of_another_version_takes_over_in_one_moment(
    store: Store, relay: Relay, kafka: KafkaAddress, database_url: str
) -> None:
    ordered(store, 2)
    relay.publish_batch()
    old = Projector(store.connection, kafka, TOPIC_PARTITIONS, ORDER_PROJECTIONS)
    old.apply(messages_of(kafka))
    pause(store.connection, ORDER_PROJECTIONS, paused=True)
    changed = replace(
        ORDER_PROJECTIONS,
        version=2,
        definition=ORDER_PROJECTIONS.definition.replace("item_count         integer", "item_count bigint"),
    )
    rebuild(database_url, changed, processes=1)
    table = check_table(store.connection, changed)
    assert table.generation == 2 and table.paused_since is not None and holds(store, changed, 2)
    ordered(store, 1)
    relay.publish_batch()
    with pytest.raises(ProjectionError, match="was made by version 2 of it, and this is version 1"):
        old.apply(messages_of(kafka))
    Projector(store.connection, kafka, TOPIC_PARTITIONS, changed).apply(messages_of(kafka))
    assert holds(store, changed, 3)
    with pytest.raises(ProjectionError, match="is of version 1, and this is version 2: take the code of that version"):
        rollback(database_url, changed)
    rollback(database_url, ORDER_PROJECTIONS)
    assert check_table(store.connection, ORDER_PROJECTIONS).generation == 3


def poisoned(projection: Projection, aggregate_id: UUID, at: int) -> Projection:
    def fold(order: Order, recorded: Recorded) -> Order:
        if recorded.aggregate_id == aggregate_id and recorded.version == at:
            raise KeyError("sku")
        return evolve(order, recorded.event)

    return replace(projection, fold=fold, evolve=None)


def test_poison_leaves_its_aggregate_behind_and_a_rebuild_with_a_mended_fold_brings_it_back(
    store: Store, database_url: str
) -> None:
    first, second, third = ordered(store, 3)
    store.connection.execute("ALTER TABLE order_projections ADD CHECK (item_count < 5)")
    strict = replace(
        ORDER_PROJECTIONS, definition=ORDER_PROJECTIONS.definition.rstrip().rstrip(")") + ", CHECK (item_count < 5))"
    )
    execute(store, uuid4(), *CART[:1], *[command for command in CART[1:2] for _ in range(4)])
    done = rebuild(database_url, poisoned(strict, second, 4), even_if_parked=True)
    assert (done.rows, done.events, done.parked) == (3, 3 * len(CART) + 5, 2)
    (at_event, at_row) = sorted(parked(store.connection, "order_projections"), key=lambda one: -one.version)
    assert (at_event.aggregate_id, at_event.version) == (second, 4) and "KeyError" in at_event.error
    assert "the table refuses its row" in at_row.error and "item_count_check" in at_row.error
    rows = dict(store.connection.execute("SELECT order_id, last_event_version FROM order_projections").fetchall())
    assert rows == {first: len(CART), second: 3, third: len(CART)}
    assert [one.error is None for one in replay_parked(store, strict, [second])] == [True]
    assert rebuild(database_url, ORDER_PROJECTIONS).parked == 0 and holds(store, ORDER_PROJECTIONS, 4)
    assert parked(store.connection) == []  # the table that was replaced is nobody's trouble
    # What the old table had left behind belongs to it, and comes back with it.
    rollback(database_url, ORDER_PROJECTIONS)
    assert [one.aggregate_id for one in parked(store.connection, "order_projections")] == [at_row.aggregate_id]


def test_a_fold_that_leaves_more_behind_than_the_present_one_does_not_take_its_place(
    store: Store, database_url: str
) -> None:
    first, second = ordered(store, 2)
    rebuild(database_url, ORDER_PROJECTIONS, processes=1)
    worse = replace(poisoned(ORDER_PROJECTIONS, second, 3), version=2)
    done = rebuild(database_url, worse, processes=1)
    assert (done.cut_over, done.parked, done.parked_before) == (False, 1, 0)
    assert done.comparison and (done.comparison.equal, done.comparison.older, done.comparison.newer) == (1, 1, 0)
    assert holds(store, ORDER_PROJECTIONS, 2) and check_table(store.connection, ORDER_PROJECTIONS).generation == 2
    done = rebuild(database_url, worse, processes=1, even_if_parked=True)
    assert (done.cut_over, done.parked, done.resumed) == (True, 1, STORE_PARTITIONS)
    # One that leaves no more behind than the present one takes its place.
    other = replace(poisoned(ORDER_PROJECTIONS, first, 3), version=3)
    done = rebuild(database_url, other, processes=1)
    assert (done.cut_over, done.parked, done.parked_before) == (True, 1, 1)


def test_what_cannot_be_taken_while_readers_wait_counts_too(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = uuid4()

    def cut_over_late(*given: Any, **options: Any) -> bool:
        execute(store, late, *CART)
        return cut_over(*given, **options)

    monkeypatch.setattr(rebuilding, "cut_over", cut_over_late)
    done = rebuild(database_url, poisoned(ORDER_PROJECTIONS, late, 3), processes=1)
    assert (done.cut_over, done.parked) == (False, 1)


def test_the_command_line_says_why_readers_go_on_with_the_old_table(
    store: Store, eventlib_environment: dict[str, str]
) -> None:
    (order_id,) = ordered(store, 1)
    for table in ("event_store", *partitions(store.connection)):
        store.connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
    store.connection.execute("UPDATE event_store SET event_type = 'Unheard' WHERE version = 3")
    refused = eventlib(eventlib_environment, "projections", "rebuild", "my_orders")
    assert refused.returncode == 1 and "--even-if-parked" in refused.stderr
    assert str(order_id) in eventlib(eventlib_environment, "projections", "parked").stdout
    told = eventlib(eventlib_environment, "projections", "rebuild", "my_orders", "--json")
    assert told.returncode == 1 and json.loads(told.stdout)["cut_over"] is False
    done = eventlib(eventlib_environment, "projections", "rebuild", "my_orders", "--even-if-parked")
    assert done.returncode == 1 and "the old table is kept" in done.stdout
    assert store.connection.execute("SELECT last_event_version FROM my_orders").fetchall() == [(2,)]


def test_an_event_that_nobody_can_read_and_a_hole_leave_their_aggregates_behind(
    store: Store, database_url: str
) -> None:
    good, unreadable, broken = ordered(store, 3)
    for table in ("event_store", *partitions(store.connection)):
        store.connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
    store.connection.execute(
        "UPDATE event_store SET event_type = 'Unheard' WHERE aggregate_id = %s AND version = 3", [unreadable]
    )
    store.connection.execute("DELETE FROM event_store WHERE aggregate_id = %s AND version = 5", [broken])
    for projection in (ORDER_PROJECTIONS, ORDER_TRACKING):
        done = rebuild(database_url, projection, even_if_parked=True)
        assert {one.aggregate_id: one.version for one in parked(store.connection, projection.name)} == {
            unreadable: 3,
            broken: 5,
        }
        rows = dict(store.connection.execute(f"SELECT order_id, last_event_version FROM {projection.name}").fetchall())
        assert rows == {good: len(CART), unreadable: 2, broken: 4} and (done.parked, done.rows) == (2, 3)


def test_two_rebuilds_of_one_projection_do_not_meet(store: Store, database_url: str) -> None:
    ordered(store, 2)
    seen: list[BaseException] = []

    def again(doing: str, done: int, of: int) -> None:
        if not seen:
            with pytest.raises(ProjectionError, match="another rebuild of my_orders is under way") as refused:
                rebuild(database_url, MY_ORDERS, processes=1)
            seen.append(refused.value)
            rebuild(database_url, SUPPORT_ORDERS, processes=1)  # of another one it does not mind

    rebuild(database_url, MY_ORDERS, processes=1, progress=again)
    assert seen and holds(store, MY_ORDERS, 2) and holds(store, SUPPORT_ORDERS, 2)


def test_a_partition_is_loaded_once_whoever_comes_second(store: Store, database_url: str) -> None:
    ordered(store, 20)
    build = begin(store.connection, MY_ORDERS, fresh=False)
    with connect(database_url) as reader, connect(database_url) as writer:
        for partition in partitions(store.connection) * 2:
            load_part(reader, writer, build.projection, partition, lambda events: None)
    assert store.connection.execute("SELECT count(*) FROM my_orders_new").fetchall() == [(20,)]
    assert rebuild(database_url, MY_ORDERS).resumed == STORE_PARTITIONS and holds(store, MY_ORDERS, 20)


def test_a_rebuild_of_another_version_or_a_fresh_one_begins_anew(store: Store, database_url: str) -> None:
    ordered(store, 2)
    rebuild(database_url, MY_ORDERS, processes=1, hold=True)
    assert rebuild(database_url, MY_ORDERS, processes=1, hold=True, fresh=True).resumed == 0
    assert rebuild(database_url, replace(MY_ORDERS, version=3), processes=1).resumed == 0
    assert check_table(store.connection, replace(MY_ORDERS, version=3))


@dataclass(frozen=True)
class _Changed:
    """What another declaration of a projection says."""

    what: str
    to: object


class Longer(MyOrder, frozen=True):
    note: str = ""


@pytest.mark.parametrize(
    "changed",
    [
        _Changed("definition", MY_ORDERS.definition + ";"),
        _Changed("sql_fold", "SELECT"),
        _Changed("initial", Longer),
        _Changed("row", MY_ORDERS.row_of),
        _Changed("events", (e.OrderPlaced,)),
        _Changed("aggregate", replace(ORDER, upcasters=ORDER.upcasters[:1])),
        _Changed("aggregate", replace(ORDER, state_version=99)),
    ],
    ids=lambda changed: changed.what,
)
def test_what_another_declaration_has_loaded_is_not_taken_over(
    store: Store, database_url: str, changed: _Changed
) -> None:
    rebuild(database_url, replace(MY_ORDERS, **{changed.what: changed.to}), processes=1, hold=True)
    assert rebuild(database_url, MY_ORDERS, processes=1, hold=True).resumed == 0
    assert rebuild(database_url, MY_ORDERS, processes=1, hold=True).resumed == STORE_PARTITIONS


def test_who_goes_on_with_an_earlier_run_is_told(
    store: Store, database_url: str, eventlib_environment: dict[str, str]
) -> None:
    ordered(store, 1)
    first = eventlib(eventlib_environment, "projections", "rebuild", "my_orders", "--hold")
    again = eventlib(eventlib_environment, "projections", "rebuild", "my_orders")
    assert (first.returncode, again.returncode) == (0, 0) and "--fresh" not in first.stdout
    assert f"{STORE_PARTITIONS} partitions of the log were folded by an earlier run" in again.stdout
    assert "--fresh" in again.stdout


def test_a_long_reader_delays_the_cut_over_and_nobody_else(
    store: Store, database_url: str, other_connection: Connection
) -> None:
    ordered(store, 1)
    build = begin(store.connection, MY_ORDERS, fresh=False)
    with connect(database_url) as reader, connect(database_url) as writer:
        for partition in partitions(store.connection):
            load_part(reader, writer, build.projection, partition, lambda events: None)
    store.connection.execute("ALTER TABLE my_orders_new ADD CONSTRAINT my_orders_new_pkey PRIMARY KEY (order_id)")
    other_connection.execute("BEGIN")
    other_connection.execute("SELECT count(*) FROM my_orders")
    waiting = threading.Thread(target=cut_over, args=(store, MY_ORDERS, build.checkpoint))
    waiting.start()
    with connect(database_url) as reader:
        for _ in range(3):  # whoever reads waits for 2 s at most: then the one that waits for the table steps back
            assert reader.execute("SELECT count(*) FROM my_orders").fetchall() == [(0,)]
            time.sleep(0.5)
    other_connection.execute("COMMIT")
    waiting.join(60)
    assert not waiting.is_alive() and holds(store, MY_ORDERS, 1)


def test_a_fold_in_sql_that_does_not_work_is_named(
    store: Store, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    ordered(store, 1)
    typo = replace(ORDER_TRACKING, sql_fold="SELECT nonsense FROM {partition}")
    assert rebuild(database_url, typo, processes=1).parked == 0 and holds(store, ORDER_TRACKING, 1)
    assert len(caplog.messages) == STORE_PARTITIONS
    assert all("loaded again in a slower way: column" in message for message in caplog.messages)
    caplog.clear()
    rebuild(database_url, ORDER_TRACKING, processes=1)
    assert not caplog.messages


def test_a_process_that_is_killed_while_it_loads_is_told_in_words(store: Store, database_url: str) -> None:
    ordered(store, 5)

    def kill(doing: str, done: int, of: int) -> None:
        for process in multiprocessing.active_children():
            process.kill()

    with pytest.raises(ProjectionError, match="a process that was loading my_orders_new has ended before its work"):
        rebuild(database_url, MY_ORDERS, processes=2, progress=kill)
    assert rebuild(database_url, MY_ORDERS, processes=2).parked == 0 and holds(store, MY_ORDERS, 5)


@pytest.mark.parametrize("name", ["orders_new", "orders_old"])
def test_a_name_of_which_a_rebuild_would_drop_the_table_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="does not end in _new or _old"):
        replace(MY_ORDERS, name=name)


def test_a_projection_is_found_by_other_processes_by_its_name() -> None:
    assert place_of(renamed(MY_ORDERS, "_new")) == ("eventlib.orders.projections.my_orders", "MY_ORDERS")
    assert place_of(replace(MY_ORDERS, version=3)) is None


def test_killed_again_and_again_under_load_it_ends_equal_to_the_log(
    store: Store, database_url: str, eventlib_environment: dict[str, str]
) -> None:
    ordered(store, 400)
    stop = threading.Event()
    written: list[UUID] = []

    def write() -> None:
        with Store.open(database_url) as mine:
            while not stop.is_set():
                written.extend(ordered(mine, 1))

    writer = threading.Thread(target=write)
    writer.start()
    killed = 0
    try:
        with background(eventlib_environment, "run", "all"):
            for pause_s in (1.2, 1.6, 2.0):
                with background(eventlib_environment, "projections", "rebuild", "my_orders") as process:
                    time.sleep(pause_s + random.uniform(0, 0.3))
                    if process.poll() is None:
                        process.send_signal(signal.SIGKILL)
                        killed += 1
            done = eventlib(eventlib_environment, "projections", "rebuild", "my_orders")
            assert done.returncode == 0, done.stderr
            stop.set()
            writer.join()
            wait_for(lambda: holds(store, MY_ORDERS, 400 + len(written)))
    finally:
        stop.set()
        writer.join()
    assert killed >= 1


OCCURRED = st.none() | st.datetimes(timezones=st.just(UTC))
HISTORIES = st.lists(st.tuples(st.sampled_from(ORDER.examples), OCCURRED), min_size=1, max_size=12)


def append_all(
    store: Store, aggregate: Aggregate, histories: Sequence[Sequence[tuple[Event, datetime | None]]]
) -> None:
    for history in histories:
        order_id = uuid4()
        for version, (event, occurred_at) in enumerate(history):
            store.append(aggregate, order_id, version, [event], metadata(occurred_at=occurred_at))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories=st.lists(HISTORIES, min_size=1, max_size=5))
def test_a_fold_in_sql_is_the_fold_in_python(store: Store, database_url: str, histories: list[list]) -> None:
    # Whatever is in the log: decide has not made these, and evolve takes any event in any state.
    append_all(store, ORDER, histories)
    store.connection.execute(
        "INSERT INTO event_store (aggregate_id, aggregate_type, event_type, schema_version, event_data, metadata, version) "
        "SELECT gen_random_uuid(), 'order', 'OrderCheckedOut', 1, "
        """'{"delivery_fee_cents": 490, "grand_total_cents": 3488}', metadata || '{"occurred_at": null}', 1 """
        "FROM event_store LIMIT 1"
    )
    with connect(database_url) as reader, connect(database_url) as writer:
        tables = []
        for projection in (ORDER_TRACKING, replace(ORDER_TRACKING, sql_fold=None)):
            build = begin(store.connection, projection, fresh=True)
            for partition in partitions(store.connection):
                if projection.sql_fold:  # not `load_part`, which would fold in Python what SQL cannot
                    loading._in_sql(writer, build.projection, partition, lambda events: None)
                else:
                    load_part(reader, writer, build.projection, partition, lambda events: None)
            rows = store.connection.execute(
                "SELECT to_jsonb(t) - 'projected_at' FROM order_tracking_new AS t ORDER BY order_id"
            ).fetchall()
            tables.append(rows)
    for in_sql, in_python in itertools.zip_longest(*tables):
        assert in_sql == in_python


@pytest.mark.parametrize("damage", ['{"carrier": 5, "tracking_number": "1"}', '{"carrier": "DHL"}', "null", "[]"])
def test_a_fold_in_sql_does_not_take_a_field_for_a_text_that_is_none(
    store: Store, database_url: str, damage: str
) -> None:
    good, bad = uuid4(), uuid4()
    for order_id in (good, bad):
        store.append(ORDER, order_id, 0, [e.OrderDelivered(), e.OrderShipped("DHL", "1")], metadata())
    for table in ("event_store", *partitions(store.connection)):
        store.connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
    store.connection.execute(
        "UPDATE event_store SET event_data = %s WHERE aggregate_id = %s AND version = 2", [damage, bad]
    )
    assert rebuild(database_url, ORDER_TRACKING, even_if_parked=True).parked == 1
    assert [(one.aggregate_id, one.version) for one in parked(store.connection)] == [(bad, 2)]
