"""A log with events that an older version of the code has written: everything reads it, and nothing changes it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from eventlib.audit.reconstruction import reconstruct
from eventlib.codec import encode_metadata
from eventlib.errors import DomainError
from eventlib.events import Metadata
from eventlib.orders import ORDER
from eventlib.orders import events as e
from eventlib.orders.commands import (
    AddItem,
    AuthorizePayment,
    CancelOrder,
    CapturePayment,
    RequestRefund,
    SubmitOrder,
)
from eventlib.orders.order import Status
from eventlib.orders.projections import ORDER_PROJECTIONS
from eventlib.orders.retelling import command_of
from eventlib.projections.rebuild import rebuild
from eventlib.projections.reconcile import reconcile, verify
from eventlib.reporting.runner import run_report
from eventlib.settings import Settings
from eventlib.store.event_ids import event_id
from eventlib.store.event_store import Store
from eventlib.store.handle import handle
from eventlib.store.scan import partitions
from eventlib.store.snapshot_care import verify_snapshots
from eventlib.store.snapshots import Loaded, save_snapshot
from eventlib.store.stream_scan import scan_stream_events
from eventlib.temporal.as_of import AtInstant, AtVersion
from tests.orders import USER, metadata
from tests.processes import eventlib

OLD: list[tuple[str, str]] = [
    ("OrderPlaced", f'{{"user_id": "{USER}", "currency": "EUR"}}'),
    ("OrderItemAdded", '{"sku": "WIDGET-42", "added_by": "customer 7f3c", "quantity": 2, "unit_price_cents": 1499}'),
    ("OrderCheckedOut", '{"delivery_fee_cents": 490, "grand_total_cents": 3488}'),
    ("OrderCancelled", "{}"),
]
"""What the first versions of the code wrote, all of it in schema version 1."""

TODAY = [
    e.OrderPlaced(USER, "EUR"),
    e.OrderItemAdded("WIDGET-42", 2, 1499, "customer 7f3c"),
    e.OrderShippingCostSet(490),
    e.OrderSubmitted(3488),
    e.OrderCancelled("customer 7f3c"),
]

COMMANDS: list[Metadata] = [metadata(command_id=UUID(int=number)) for number in range(1, len(OLD) + 1)]

STORED = (
    "SELECT event_type, schema_version, event_data::text, metadata::text, version, event_id, position, created_at "
    "FROM event_store WHERE aggregate_id = %s ORDER BY version"
)


@pytest.fixture
def order_id(store: Store) -> Iterator[UUID]:
    """An order in the log as the first versions of the code wrote it; whatever a test does, its bytes stay as they are."""
    order_id = write_old(store, len(OLD))
    before = stored(store, order_id)
    yield order_id
    assert stored(store, order_id) == before


@pytest.fixture
def open_order_id(store: Store) -> Iterator[UUID]:
    """The same, without the cancellation: an order that goes on. Tests may append to it, and change nothing of it."""
    order_id = write_old(store, 3)
    before = stored(store, order_id)
    yield order_id
    assert stored(store, order_id)[:3] == before


def stored(store: Store, order_id: UUID) -> list[tuple[object, ...]]:
    return store.connection.execute(STORED, [order_id]).fetchall()


def write_old(store: Store, number: int) -> UUID:
    """Write the first `number` old events, with their rows in the outbox."""
    order_id = uuid4()
    for version, ((event_type, data), about) in enumerate(zip(OLD[:number], COMMANDS), 1):
        store.connection.execute(
            "WITH appended AS (INSERT INTO event_store (event_id, aggregate_id, aggregate_type, event_type, event_data, "
            "metadata, version) VALUES (%s, %s, 'order', %s, %s, %s, %s) RETURNING *) "
            "INSERT INTO outbox (event_id, aggregate_id, aggregate_type, event_type, event_data, metadata, version, "
            "schema_version, position, created_at) SELECT event_id, aggregate_id, aggregate_type, event_type, event_data, "
            "metadata, version, schema_version, position, created_at FROM appended",
            [
                event_id(about.command_id, order_id, 0),
                order_id,
                event_type,
                data,
                encode_metadata(about).decode(),
                version,
            ],
        )
    return order_id


def test_every_way_of_reading_gives_todays_events(store: Store, order_id: UUID) -> None:
    recorded = list(store.read(ORDER, order_id))
    assert [one.event for one in recorded] == TODAY
    assert [(one.version, one.part) for one in recorded] == [(1, 0), (2, 0), (3, 0), (3, 1), (4, 0)]
    assert [one.upcast_from for one in recorded] == [
        None,
        None,
        "OrderCheckedOut 1",
        "OrderCheckedOut 1",
        "OrderCancelled 1",
    ]
    loaded = store.load(ORDER, order_id)
    assert (loaded.state, loaded.version) == (ORDER.fold(TODAY), 4)
    [(_, streamed)] = [(one, list(events)) for one, events in store.read_many(ORDER, [order_id])]
    assert streamed == recorded
    scanned = [
        (one, first, last, list(events))
        for partition in partitions(store.connection)
        for one, first, last, events in scan_stream_events(store.connection, ORDER, partition)
    ]
    assert scanned == [(order_id, 1, 4, TODAY)]


def test_part_of_the_stream(store: Store, order_id: UUID) -> None:
    assert [one.event for one in store.read(ORDER, order_id, after=2, until=3)] == TODAY[2:4]
    assert [one.event for one in store.read(ORDER, order_id, kinds=[e.OrderSubmitted])] == [TODAY[3]]
    assert [one.event for one in store.read(ORDER, order_id, kinds=[e.OrderCancelled, e.OrderPlaced])] == [
        TODAY[0],
        TODAY[4],
    ]


def test_snapshots_between_old_events(store: Store, order_id: UUID) -> None:
    whole = store.load(ORDER, order_id)
    for version in range(1, 5):
        state = ORDER.fold(one.event for one in store.read(ORDER, order_id, until=version))
        save_snapshot(store.connection, ORDER, order_id, Loaded(state, version))
        assert store.load(ORDER, order_id) == whole
    assert verify_snapshots(store, ORDER).bad == []


def test_commands_are_appended_after_old_events(store: Store, database_url: str, open_order_id: UUID) -> None:
    authorized = handle(store, ORDER, open_order_id, AuthorizePayment("PAY-1", "visa", 3488), metadata())
    captured = handle(store, ORDER, open_order_id, CapturePayment("PAY-1"), metadata())
    assert (authorized.version, captured.version) == (4, 5)
    repeated = handle(store, ORDER, open_order_id, SubmitOrder(), COMMANDS[2])
    assert (repeated.repeated, list(repeated.events), repeated.version) == (True, TODAY[2:4], 3)

    paid = store.load(ORDER, open_order_id, use_snapshots=False)
    assert (paid.version, paid.state.status) == (5, Status.PAID)
    for version in range(1, 6):
        state = ORDER.fold(one.event for one in store.read(ORDER, open_order_id, until=version))
        save_snapshot(store.connection, ORDER, open_order_id, Loaded(state, version))
        assert store.load(ORDER, open_order_id) == paid
    assert rebuild(database_url, ORDER_PROJECTIONS, processes=1).rows == 1
    assert verify(store, ORDER_PROJECTIONS).equal == 1
    told = reconstruct(store, ORDER_PROJECTIONS, open_order_id, retell=command_of)
    assert [str(check.outcome) for check in told.checks] == ["verified"] * 3
    assert "Each of the 5 events" in told.checks[2].finding and told.number == 5


def test_commands_go_on_where_the_old_code_stopped(store: Store, order_id: UUID) -> None:
    with pytest.raises(DomainError, match="the order is cancelled"):
        handle(store, ORDER, order_id, AddItem("A", 1, 100, "me"), metadata())
    repeated = handle(store, ORDER, order_id, CancelOrder("customer 7f3c"), COMMANDS[3])
    assert (repeated.repeated, list(repeated.events), repeated.version) == (True, [TODAY[4]], 4)
    with pytest.raises(DomainError):
        handle(store, ORDER, order_id, RequestRefund("R-1", 1), metadata())
    checked_out = store.executed(ORDER, order_id, COMMANDS[2].command_id)
    assert [one.event for one in checked_out] == TODAY[2:4]


def test_the_reconstruction_tells_todays_events_and_says_what_was_stored(
    store: Store, database_url: str, order_id: UUID
) -> None:
    rebuild(database_url, ORDER_PROJECTIONS, processes=1)
    told = reconstruct(store, ORDER_PROJECTIONS, order_id, retell=command_of)
    assert [str(check.outcome) for check in told.checks] == ["verified"] * 3
    assert (told.number, told.later, len(told.events)) == (4, 0, 5)
    earlier = reconstruct(store, ORDER_PROJECTIONS, order_id, AtVersion(3), command_of)
    assert (earlier.number, earlier.later, earlier.replay.state.status) == (3, 1, Status.SUBMITTED)
    assert earlier.digest != told.digest
    instant = AtInstant(told.events[3].recorded_at)
    assert [
        one.part for one in reconstruct(store, ORDER_PROJECTIONS, order_id, instant).events if one.version == 3
    ] == [
        0,
        1,
    ]


def test_the_report_says_which_lines_are_shown_in_todays_shape(
    store: Store, order_id: UUID, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rebuild(database_url, ORDER_PROJECTIONS, processes=1)
    monkeypatch.setenv("EVENTLIB_DATABASE_URL", database_url)
    settings = Settings.load(reports_dir=tmp_path)
    published = run_report("audit_reconstruction", {"order_id": str(order_id)}, settings)
    assert published.exit_code == 0
    page = published.page.read_text(encoding="utf-8")
    assert page.count("recorded as OrderCheckedOut, schema version 1") == 2
    assert page.count("recorded as OrderCancelled, schema version 1") == 1
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids)) and {"event-3", "event-3-2", "event-4"} <= set(ids)
    assert "4 events" in page


def test_the_read_model_comes_from_old_events_through_kafka_and_from_the_log(
    store: Store, database_url: str, order_id: UUID, eventlib_environment: dict[str, str]
) -> None:
    caught_up = eventlib(eventlib_environment, "run", "all", "--until-caught-up")
    assert caught_up.returncode == 0, caught_up.stderr
    through_kafka = reconcile(store, ORDER_PROJECTIONS, order_id)
    assert (through_kafka.projected_version, through_kafka.differing) == (4, [])
    assert rebuild(database_url, ORDER_PROJECTIONS, processes=1).rows == 1
    assert verify(store, ORDER_PROJECTIONS).equal == 1
