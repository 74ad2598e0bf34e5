"""`eventlib events`: the catalogue, and whether a log can be read to its last event."""

from __future__ import annotations

from uuid import uuid4

import msgspec
import pytest

from eventlib.orders import ORDER
from eventlib.store.event_store import Store
from eventlib.store.readability import check_readability
from tests.orders import CART, execute
from tests.processes import eventlib


@pytest.fixture
def environment(database_url: str) -> dict[str, str]:
    return {"EVENTLIB_DATABASE_URL": database_url, "PATH": "/usr/bin:/bin", "HOME": "/tmp"}


def write_raw(store: Store, event_type: str, schema_version: int, data: str, metadata: str = "{}") -> None:
    store.connection.execute(
        "INSERT INTO event_store (aggregate_id, aggregate_type, event_type, schema_version, event_data, metadata, version) "
        "VALUES (%s, 'order', %s, %s, %s, %s, 1)",
        [uuid4(), event_type, schema_version, data, metadata],
    )


def test_the_catalogue_in_the_terminal_and_as_json(environment: dict[str, str]) -> None:
    listed = eventlib(environment, "events", "catalog")
    assert listed.returncode == 0 and "OrderCheckedOut" in listed.stdout and "WIDGET-42" in listed.stdout
    one = eventlib(environment, "events", "catalog", "OrderCancelled")
    assert "OrderCancelled, schema version 1 (old)" in one.stdout and "read as: OrderCancelled 2" in one.stdout
    document = msgspec.json.decode(eventlib(environment, "events", "catalog", "--json").stdout)
    assert len(document["events"]) == len(ORDER.events) + len(ORDER.upcasters)
    wrong = eventlib(environment, "events", "catalog", "OrderTeleported")
    assert wrong.returncode == 2 and "there is no event OrderTeleported" in wrong.stderr


def test_every_event_of_a_log_can_be_read(store: Store) -> None:
    for _ in range(3):
        execute(store, uuid4(), *CART)
    result = check_readability(store.connection, [ORDER])
    assert (result.events, result.readable, result.problems, result.old_shapes) == (18, 18, [], [])
    assert result.shapes["OrderItemAdded 1"] == 6


def test_old_shapes_are_counted_and_what_cannot_be_read_is_told(store: Store, environment: dict[str, str]) -> None:
    execute(store, uuid4(), *CART)
    about = store.connection.execute("SELECT metadata::text FROM event_store LIMIT 1").fetchall()[0][0]
    write_raw(store, "OrderCancelled", 1, "{}", about)
    write_raw(store, "OrderDelivered", 1, "{}", "{}")
    write_raw(store, "OrderTeleported", 1, "{}", about)
    write_raw(store, "OrderShippingCostSet", 1, '{"shipping_cents": "much"}', about)
    result = check_readability(store.connection, [ORDER])
    assert (result.events, result.readable, result.old_shapes) == (10, 7, ["OrderCancelled 1"])
    assert all("cannot be read" in problem for problem in result.problems) and len(result.problems) == 3
    verified = eventlib(environment, "events", "verify")
    assert verified.returncode == 1 and "7 of 10 events can be read" in verified.stdout
    assert "OrderTeleported in schema version 1, cannot be read" in verified.stderr
    assert check_readability(store.connection, []).readable == 0
