"""Scans of whole streams, as a rebuild reads them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from eventlib.errors import CorruptStream, UnreadableEvent
from eventlib.events import Event
from eventlib.orders import ORDER
from eventlib.orders.events import OrderCancelled, OrderItemAdded, OrderPlaced
from eventlib.store.event_store import Store
from eventlib.store.scan import partitions
from eventlib.store.stream_scan import scan_stream_events, scan_streams
from tests.orders import USER, metadata

PLACED = OrderPlaced(USER, "EUR")


def item(number: int) -> OrderItemAdded:
    return OrderItemAdded(f'SKU "{number}" \\ ü', 1, number, "me")


def append(store: Store, events: Sequence[Event]) -> UUID:
    order_id = uuid4()
    store.append(ORDER, order_id, 0, events, metadata(reason='back\\slash "quote"\n\ttab'))
    return order_id


def scanned(store: Store) -> list[tuple[UUID, int, int, list[Event]]]:
    return [
        (order_id, first, last, list(events))
        for partition in partitions(store.connection)
        for order_id, first, last, events in scan_stream_events(store.connection, ORDER, partition)
    ]


def without_triggers(store: Store, statement: str, *parameters: object) -> None:
    for table in ("event_store", *partitions(store.connection)):
        store.connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
    store.connection.execute(statement, parameters)


def test_every_event_comes_in_order_in_pieces_of_a_thousand(store: Store) -> None:
    events = [PLACED, *map(item, range(1200)), OrderCancelled("changed my mind")]
    order_id = append(store, events)
    assert scanned(store) == [(order_id, 1, 1000, events[:1000]), (order_id, 1001, 1202, events[1000:])]
    recorded = [
        one
        for partition in partitions(store.connection)
        for _, piece in scan_streams(store.connection, ORDER, partition)
        for one in piece
    ]
    assert recorded == list(store.read(ORDER, order_id))


def test_a_hole_is_no_stream(store: Store) -> None:
    append(store, [PLACED, *map(item, range(5))])
    without_triggers(store, "DELETE FROM event_store WHERE version = 3")
    with pytest.raises(CorruptStream, match="lacks versions between 1 and 6"):
        scanned(store)


@pytest.mark.parametrize("event_type", ["Unheard", "OrderPlaced 1", f'OrderPlaced 1",{{"user_id":"{USER}"}},"'])
def test_what_the_type_of_an_event_says_is_never_taken_for_an_event(store: Store, event_type: str) -> None:
    append(store, [PLACED, item(1)])
    without_triggers(store, "UPDATE event_store SET event_type = %s WHERE version = 2", event_type)
    with pytest.raises(UnreadableEvent, match="version 2 of order"):
        scanned(store)
