"""Every statement is held to the plan that it is to have; one without an expectation fails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from eventlib.orders.commands import PlaceOrder
from eventlib.orders.projections import ORDER_PROJECTIONS
from eventlib.outbox.unpublished import SETTINGS
from eventlib.projections.statements import statement
from eventlib.resources import resource
from eventlib.store.connection import Connection, connect
from eventlib.store.event_store import Store
from eventlib.store.queries import query
from eventlib.store.scratch_database import scratch_database
from tests.orders import USER, execute

PARTITIONS = 16
STREAMS, LONGEST = 2_000, 800

VERSION = "aggregate_id_version_key"
EVENT_ID = "aggregate_id_event_id_key"
TRANSACTION = "tx_id_position_idx"
POSITION = "position_idx"
EVENT_TYPE = "event_type_created_at_idx"
SNAPSHOT = "aggregate_snapshots_pkey"

ORDER_ID = UUID(int=1234)
LOG = re.compile(r"event_store_\d{4}")
LARGE = re.compile(r"event_store_\d{4}|outbox|aggregate_snapshots|order_projections|notifications")


@dataclass(frozen=True)
class Plan:
    """What the plan of a statement is to be.

    Attributes:
        parameters: realistic ones.
        indexes: exactly those that it uses, without the names of partitions in them.
        partitions: of the log that it looks into, at most, however often.
        sequential: tables that it may read from end to end, since it wants all of them.
        anew: it is planned for its very parameters each time (`planned_anew`), else once for any.
        settings: those of the connection that executes it.
        by_owner: the owner of the schema executes it, else the application's role.
    """

    parameters: dict[str, Any]
    indexes: set[str] = field(default_factory=set)
    partitions: int = PARTITIONS
    sequential: set[str] = field(default_factory=set)
    anew: bool = False
    settings: tuple[str, ...] = ()
    by_owner: bool = False


ONE = {"aggregate_id": ORDER_ID, "aggregate_type": "order"}
FOLD = {**ONE, "upcast_types": ["OrderCancelled"], "limit": 10_000}
ANY = {"aggregate_types": None, "event_types": None, "limit": 5_000}
TEN = [UUID(int=number) for number in range(1, 11)]
NOW = datetime.now(UTC)

PUSH = {"told_by": "order_notifications", "aggregate_id": ORDER_ID, "version": 1, "recipient": "me"}
UNSEEN = {"seen_xmax": "99999999", "seen_in_progress": ["900"]}
OWN = {"shards": list(range(64)), "limit": 2000, "due": TEN}
OUTBOX_TRANSACTION = "outbox_transaction"

PLANS = {
    "append": Plan({**ONE, "expected_version": 3, "events": "[]"}, {VERSION}, partitions=1),
    "version": Plan(ONE, {VERSION}, partitions=1),
    "version_below": Plan({**ONE, "version": 9}, {VERSION}, partitions=1),
    "version_of_event": Plan({**ONE, "event_id": UUID(int=5)}, {EVENT_ID}, partitions=1),
    "event_of_version": Plan({**ONE, "version": 9}, {VERSION}, partitions=1),
    "tail": Plan({**FOLD, "after": 100}, {VERSION}, partitions=1),
    "load": Plan({**FOLD, "state_schema": "1-x", "before": 2**31 - 1}, {VERSION, EVENT_ID, SNAPSHOT}, partitions=1),
    "read_stream": Plan(
        {
            **ONE,
            "after": 5,
            "until": 90,
            "event_types": None,
            "recorded_from": None,
            "recorded_before": None,
            "limit": 2000,
        },
        {VERSION},
        partitions=1,
    ),
    "staleness": Plan({**ONE, "version": 9}, {VERSION}, partitions=1),
    "read_streams": Plan(
        {"aggregate_ids": TEN, "aggregate_type": "order", "after_id": UUID(int=0), "after_version": 0, "limit": 2000},
        {VERSION},
    ),
    "aggregate_ids": Plan({"aggregate_type": "order", "after": ORDER_ID, "after_version": 1, "limit": 500}, {VERSION}),
    "window_by_transaction": Plan(
        {**ANY, "seen_xmax": "999999", "seen_in_progress": ["900"], "window": "999:999:", "after": 0, "until": 10**9},
        {TRANSACTION},
        anew=True,
    ),
    "window_by_position": Plan(
        {**ANY, "seen": "900:999999:900", "window": "999:999:", "after": 20_000, "until": 10**9}, {POSITION}, anew=True
    ),
    "bulk_position": Plan({}, {TRANSACTION}),
    "bulk_gaps": Plan({"aggregate_ids": TEN, "versions": list(range(1, 11))}, {VERSION}),
    "bulk_queue": Plan({"after": 10_000}, {TRANSACTION}),
    "snapshots_due": Plan(
        {"aggregate_ids": TEN, "aggregate_type": "order", "state_schema": "1-x", "every": 50}, {VERSION, SNAPSHOT}
    ),
    "snapshot_write": Plan(
        {
            **ONE,
            "version": 9,
            "event_id": UUID(int=5),
            "position": 1,
            "state_schema": "1-x",
            "state": "{}",
            "sha256": b"x",
        }
    ),
    "snapshot_retain": Plan({**ONE, "keep": 2}, {SNAPSHOT}),
    "snapshots_read": Plan(
        {"aggregate_type": "order", "after_id": ORDER_ID, "after_version": 9, "limit": 500}, {SNAPSHOT}
    ),
    "projection_gate": Plan(
        {"projection": "order_projections", "keys": TEN, "skip_parked": True}, {"order_projections_pkey"}
    ),
    "projection_row": Plan({"key": ORDER_ID, "projection": "order_projections"}, {"order_projections_pkey"}),
    "projection_rows": Plan({"keys": TEN}, {"order_projections_pkey"}),
    "projection_write": Plan({"rows": "[]"}),
    "outbox_window": Plan({**UNSEEN, **OWN}, {OUTBOX_TRANSACTION, "outbox_held_pkey"}, settings=SETTINGS),
    "outbox_window_rest": Plan(
        {**OWN, "seen": "1:1:", "after": 99_000, "until": "99999999:99999999:"}, {"outbox_pkey"}, anew=True
    ),
    "outbox_forget": Plan(
        {"ids": list(range(1, 11)), "relay": ORDER_ID, "shards": [1, 2], "epochs": [1, 1]},
        {"outbox_pkey"},
    ),
    "events_in_log": Plan({"events": "[]"}, {VERSION}),
    "notification_claim": Plan(
        {"told_by": "order_notifications", "lease": timedelta(seconds=10), "within": timedelta(hours=1)},
        {"notifications_due", "notifications_pkey"},
    ),
    "notification_hold": Plan({**PUSH, "pause": timedelta(seconds=1), "error": "away"}, {"notifications_pkey"}),
    "notification_settle": Plan({**PUSH, "state": "sent", "error": None}, {"notifications_pkey"}),
    "notifications_note": Plan({"told_by": "order_notifications", "noted": "[]"}, {"notifications_pkey"}),
    "notifications_forget": Plan({"kept": timedelta(days=30)}, {"notifications_noted"}, anew=True),
    "notifications_lost": Plan({}, {"notifications_lost"}),
    "notifications_waiting": Plan({}, {"notifications_due"}),
    "notifications_unsent": Plan({"limit": 20}, {"notifications_unsent"}),
    "epoch_begin": Plan({}, {POSITION}, sequential={"log_epochs"}, by_owner=True),
    "position_sequence": Plan({}, {POSITION}, by_owner=True),
}

WHOLE = {
    "projection_lag": "a measurement over everything that was written since an instant",
    "missed_counts": "all that projections have missed",
    "epoch_outbox": "numbers the outbox anew",
    "projection_recent": "the newest thousand events, from the index on positions, beside their rows",
    "projection_orphans": "a verification looks at every row",
    "outbox_backlog": "counts the outbox, which is all but empty",
    "notifications_count": "a look at what has become of all pushes, by hand",
    "parked_read": "everything that projections have left behind",
    "parked_counts": "everything that projections have left behind",
    "outbox_held": "those few that are held, each with its rows counted",
    "outbox_clean": "all that is published, by the moment when it was",
    "outbox_visible": "a look whether any of some rows is left",
    "outbox_shards": "counts the outbox, which is all but empty",
    "outbox_due": "those few that are held, each with a look for its rows",
    "lag_forget": "a week of minutes, once an hour",
    "lag_minutes": "the last minutes, from an index",
    "lag_read": "the last minutes, from an index",
    "scan": "a whole partition, through COPY",
    "scan_streams": "a whole partition, through COPY, in order",
    "scan_stream_events": "a whole partition, through COPY, in order",
    "projection_compare": "a rebuild compares every row",
    "projection_behind": "a rollback looks at every row",
    "projection_take_back": "rows that exclude each other are found by writing all of them once more",
    "projection_left_out": "rows that exclude each other are found by writing all of them once more",
    "projection_fold": "a rebuild folds whole partitions",
    "snapshots_clear": "every snapshot of a type, by hand",
    "snapshots_prune": "looks at every snapshot of a type, by hand",
}
"""Statements that are to look at all of something."""

SMALL = {
    "checkpoint_forget", "checkpoint_read", "checkpoint_write", "clock", "epoch_lock", "epoch_newest",
    "log_id",
    "migration_lock", "migration_setting", "offsets_read", "offsets_write", "partitions", "projection_grant",
    "projection_lock", "projection_register", "projection_registry_lock", "projection_version",
    "schema_migrations_create", "schema_migrations_exist", "schema_migrations_read", "schema_migrations_record",
    "outbox_any_held", "outbox_held_forget", "outbox_hold", "outbox_park", "outbox_publisher", "outbox_relays",
    "outbox_release", "relay_acquire",
    "relay_heartbeat", "relay_leave", "relay_release", "relay_renew", "relays_forget",
    "cdc_may_bound", "cdc_places", "cdc_publication", "cdc_publish", "cdc_slot", "cdc_slot_create", "cdc_slots_drop",
    "outbox_snapshot", "publisher_set", "relay_shards_owned",
    "lag_write", "build_advance", "build_begin", "build_forget", "build_part_begin", "build_part_end", "build_parts",
    "build_read", "partition_sizes", "predecessor_read", "predecessor_write", "projection_drop", "projection_forget",
    "projection_index_names", "projection_indexes", "projection_columns", "projection_copy",
    "projection_load", "projection_rename",
    "projection_dependents", "projection_key", "projection_rights", "projection_set_aside",
    "projection_table_rename",
    "parked_forget", "parked_write", "projection_pause", "unreadable_write", "missed_write",
    "store_partitions", "window_look", "worker_lock", "bulk_load",
}  # fmt: skip
"""Statements on tables of some rows, on the catalogue, or without a plan."""


@pytest.fixture(scope="module")
def log(server_url: str) -> Iterator[Connection]:
    """A log of some 100,000 events in streams of very different lengths, from many transactions, with statistics."""
    with scratch_database(server_url, PARTITIONS) as url, connect(url) as connection:
        for part in range(20):
            connection.execute(
                """
                WITH appended AS (
                    INSERT INTO event_store (aggregate_id, aggregate_type, event_type, event_data, metadata, version)
                    SELECT lpad(to_hex(stream), 32, '0')::uuid, 'order',
                           (ARRAY['OrderPlaced', 'OrderItemAdded', 'OrderCancelled'])[1 + version %% 3],
                           jsonb_build_object('sku', version), '{}', version
                    FROM generate_series(1, %(streams)s) AS stream,
                         generate_series(1, 10 + %(longest)s / (1 + stream %% 97)) AS version
                    WHERE stream %% 20 = %(part)s
                    RETURNING *),
                kept AS (
                    INSERT INTO aggregate_snapshots
                        (aggregate_id, aggregate_type, version, event_id, position, state_schema, state, sha256)
                    SELECT aggregate_id, aggregate_type, version, event_id, position, '1-x', '{}', ''
                    FROM appended WHERE version %% 10 = 0)
                INSERT INTO outbox (event_id, aggregate_id, aggregate_type, event_type, event_data, metadata, version,
                                    schema_version, position, created_at)
                SELECT event_id, aggregate_id, aggregate_type, event_type, event_data, metadata, version, schema_version,
                       position, created_at
                FROM appended
                """,
                {"streams": STREAMS, "longest": LONGEST, "part": part},
            )
        connection.execute(
            "INSERT INTO order_projections SELECT aggregate_id, NULL, 'placed', 0, 0, max(version), now(), '{}' "
            "FROM event_store GROUP BY aggregate_id"
        )
        connection.execute(
            """
            INSERT INTO notifications
                (told_by, aggregate_id, version, recipient, event_type, title, state, noted_at, settled_at)
            SELECT 'order_notifications', aggregate_id, version, 'me', event_type, '', state, at,
                   CASE WHEN state <> 'sending' THEN at END
            FROM event_store, LATERAL (
                SELECT now() - version * interval '1 hour' AS at,
                       (ARRAY['sending', 'refused', 'sent'])[least(3, 1 + position % 500)] AS state) AS pushed
            WHERE version <= 10
            """
        )
        connection.execute("VACUUM ANALYZE")
        yield connection


def text_of(name: str) -> str:
    """The statement's text; one that projections share, for the table of one of them."""
    if name.startswith("projection_"):
        return statement(name, ORDER_PROJECTIONS, ["order_id", "status", "last_event_version"])
    return query(name)


def planned(connection: Connection, name: str, expected: Plan) -> list[dict[str, Any]]:
    """The nodes of the plan of a statement, as the library executes it: prepared and planned once, or planned anew; by the
    role that executes it, which has to be allowed to."""
    connection.execute("SET ROLE NONE" if expected.by_owner else "SET ROLE eventlib_application")
    for setting in expected.settings:
        connection.execute(setting)
    try:
        return _planned(connection, name, expected)
    finally:
        for setting in expected.settings:
            connection.execute(f"RESET {setting.split()[1]}")


def _planned(connection: Connection, name: str, expected: Plan) -> list[dict[str, Any]]:
    if expected.anew:
        cursor = psycopg.ClientCursor(connection)
        found = cursor.execute(f"EXPLAIN (FORMAT JSON) {text_of(name)}", expected.parameters).fetchall()
    else:
        text, order = text_of(name), list(dict.fromkeys(re.findall(r"%\((\w+)\)s", text_of(name))))
        for number, parameter in enumerate(order, 1):
            text = text.replace(f"%({parameter})s", f"${number}")
        connection.execute(f"PREPARE statement AS {text}")
        values = sql.SQL(", ").join(sql.Literal(expected.parameters[parameter]) for parameter in order)
        call = sql.SQL("EXPLAIN (FORMAT JSON) EXECUTE statement") + (
            sql.SQL("({})").format(values) if order else sql.SQL("")
        )
        try:
            found = connection.execute(call).fetchall()
        finally:
            connection.execute("DEALLOCATE statement")
    return list(_nodes(found[0][0][0]["Plan"]))


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from _nodes(child)


def test_every_statement_has_an_expectation() -> None:
    names = {path.stem for path in resource("sql", "queries").glob("*.sql")}
    product = {name for name in names if not name.startswith("bench_")}
    assert product == PLANS.keys() | WHOLE.keys() | SMALL


def read_from_end_to_end(nodes: list[dict[str, Any]]) -> set[str]:
    """The large tables of which a plan reads every row."""
    found = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}
    return {relation for relation in found if LARGE.fullmatch(relation)}


def indexes(nodes: list[dict[str, Any]]) -> set[str]:
    """The indexes that a plan uses, without the names of partitions in them."""
    return {LOG.sub("", node["Index Name"]).lstrip("_") for node in nodes if "Index Name" in node}


def partitions(nodes: list[dict[str, Any]]) -> set[str]:
    """The partitions of the log that a plan looks into."""
    found = {node["Relation Name"] for node in nodes if "Relation Name" in node and "Scan" in node["Node Type"]}
    return {relation for relation in found if LOG.fullmatch(relation)}


@pytest.mark.parametrize("name", sorted(PLANS))
def test_it_has_the_plan_that_it_is_to_have(log: Connection, name: str) -> None:
    expected = PLANS[name]
    nodes = planned(log, name, expected)
    assert read_from_end_to_end(nodes) <= expected.sequential, nodes
    assert indexes(nodes) == expected.indexes, nodes
    assert len(partitions(nodes)) <= expected.partitions


@pytest.mark.parametrize("name", sorted(name for name, expected in PLANS.items() if not expected.anew))
def test_nor_is_it_planned_badly_on_a_connection_that_somebody_else_has_opened(log: Connection, name: str) -> None:
    expected = PLANS[name]
    log.execute("SET plan_cache_mode TO force_custom_plan")
    try:
        nodes = planned(log, name, expected)
    finally:
        log.execute("SET plan_cache_mode TO force_generic_plan")
    assert read_from_end_to_end(nodes) <= expected.sequential, nodes
    # The index on an aggregate's event ids finds all of its events as well as the one on its versions; that of the 64 shards
    # is as good as reading them all.
    assert indexes(nodes) <= expected.indexes | {EVENT_ID, "relay_shards_pkey"}, nodes
    assert len(partitions(nodes)) <= expected.partitions


def test_forgetting_visits_each_row_once_and_not_once_for_each_shard(log: Connection) -> None:
    nodes = planned(log, "outbox_forget", PLANS["outbox_forget"])
    (rows,) = (node for node in nodes[0]["Plans"] if node["Parent Relationship"] == "Outer")
    assert rows.get("Index Name") == "outbox_pkey", nodes


@pytest.mark.parametrize("known", ["nothing", "an empty table", "a full table", "a table that was emptied"])
def test_new_rows_are_found_by_their_transactions_whatever_the_planner_takes_the_outbox_for(
    server_url: str, known: str
) -> None:
    with scratch_database(server_url, 1) as url, connect(url) as connection:
        if known == "an empty table":
            connection.execute("VACUUM ANALYZE outbox")
        elif known != "nothing":
            execute(Store(connection), ORDER_ID, PlaceOrder(USER, "EUR"))
            connection.execute(
                """
                INSERT INTO outbox (event_id, aggregate_id, aggregate_type, event_type, event_data, metadata, version,
                                    schema_version, position, created_at)
                SELECT gen_random_uuid(), gen_random_uuid(), aggregate_type, event_type, event_data, metadata, version,
                       schema_version, position, created_at
                FROM outbox, generate_series(1, 20000)
                """
            )
            if known == "a table that was emptied":
                connection.execute("DELETE FROM outbox")
            connection.execute("VACUUM ANALYZE outbox")
        nodes = planned(connection, "outbox_window", PLANS["outbox_window"])
    assert indexes(nodes) == {OUTBOX_TRANSACTION, "outbox_held_pkey"}, nodes
    assert not read_from_end_to_end(nodes)
    assert not [node for node in nodes if "Gather" in node["Node Type"]]


def test_a_page_by_position_needs_no_sorting(log: Connection) -> None:
    nodes = planned(log, "window_by_position", PLANS["window_by_position"])
    assert not [node for node in nodes if "Sort" in node["Node Type"]]


def test_a_window_with_a_twentieth_of_the_log_is_found_by_its_transactions(log: Connection) -> None:
    last = log.execute("SELECT max(tx_id)::text FROM event_store").fetchall()[0][0]
    nodes = planned(
        log,
        "window_by_transaction",
        Plan({**PLANS["window_by_transaction"].parameters, "seen_xmax": last, "seen_in_progress": []}, anew=True),
    )
    assert indexes(nodes) == {TRANSACTION}


def test_a_window_that_is_planned_once_for_any_parameters_would_walk_the_whole_log(log: Connection) -> None:
    nodes = planned(log, "window_by_transaction", Plan(PLANS["window_by_transaction"].parameters))
    assert indexes(nodes) == {POSITION}


def test_every_index_of_the_log_serves_a_statement_but_the_one_for_questions(log: Connection) -> None:
    found = log.execute(
        "SELECT relname FROM pg_index JOIN pg_class ON oid = indexrelid WHERE indrelid = 'event_store_0000'::regclass"
    )
    names = {LOG.sub("", name).lstrip("_") for (name,) in found}
    assert names == {VERSION, EVENT_ID, TRANSACTION, POSITION, EVENT_TYPE}
    assert names - set().union(*(expected.indexes for expected in PLANS.values())) == {EVENT_TYPE}


def test_what_happened_in_a_span_of_time_is_found_by_type(log: Connection) -> None:
    (first,) = log.execute("SELECT created_at FROM event_store WHERE position = 1").fetchall()[0]
    question = (
        "EXPLAIN (FORMAT JSON) SELECT * FROM event_store WHERE event_type = 'OrderCancelled' AND created_at <= %s"
    )
    (plan,) = psycopg.ClientCursor(log).execute(question, [first]).fetchall()[0]
    assert indexes(list(_nodes(plan[0]["Plan"]))) == {EVENT_TYPE}
